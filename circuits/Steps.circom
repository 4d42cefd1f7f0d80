pragma circom 2.1.6;

// y[k] = x >= T[k+1] ? 1 : 0 for k < m: many comparisons of one number, for one row each and two range proofs.
// T[0] < T[1] < ... < T[m+1] cut the numbers from T[0] up to, but without, T[m+1] into m + 1 intervals.
//
// Parameters: B, 1 <= B <= 52; m >= 2; T as above, each interval of at most 2^B numbers, all |T| < 2^53.
// Requires:   nothing of x: no witness exists unless T[0] <= x < T[m+1].
// Ensures:    y equals the formula. Let e[k] = y[k-1] - y[k] with y[-1] = 1 and y[m] = 0. Each e is 0 or 1 and they add
//             up to 1, so that exactly one is 1, say e[j]: then y is 1 up to j-1 and 0 from there on, `from` is T[j] and
//             `to` is T[j+1]. The bits make x - T[j] and T[j+1] - 1 - x integers from 0 to 2^B - 1: T[j] <= x < T[j+1].
// Cost:       m + 2B + 3. x occurs twice, in linear rows.
template Steps(B, m, T) {
    assert(B >= 1 && B <= 52 && m >= 2);
    for (var k = 0; k <= m; k++) { assert(T[k+1] - T[k] >= 1 && T[k+1] - T[k] <= 2**B); }
    signal input x;
    signal output y[m];
    signal b[B];
    signal c[B];

    var from = T[0], to = T[1];
    for (var k = 0; k < m; k++) {
        y[k] <-- x - T[k+1] >= 0 ? 1 : 0;
        from += y[k] * (T[k+1] - T[k]);
        to += y[k] * (T[k+2] - T[k+1]);
    }
    (1 - y[0]) * (0 - y[0]) === 0;
    for (var k = 1; k < m; k++) { (y[k-1] - y[k]) * (y[k-1] - y[k] - 1) === 0; }
    y[m-1] * (y[m-1] - 1) === 0;

    var above = 0, below = 0;
    for (var i = 0; i < B; i++) {
        b[i] <-- ((x - from) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        above += b[i] * 2**i;
        c[i] <-- ((to - 1 - x) >> i) & 1;
        c[i] * (c[i] - 1) === 0;
        below += c[i] * 2**i;
    }
    above === x - from;
    below === to - 1 - x;
}
