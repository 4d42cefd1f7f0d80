pragma circom 2.1.6;

// y[k] = x = k ? 1 : 0 for k < m.
//
// Parameters: m, 2 <= m <= 2^20.
// Requires:   nothing of x: no witness exists unless 0 <= x < m.
// Ensures:    y equals the formula: each y is 0 or 1 and they add up to 1, so that exactly one is 1; x is its index.
// Cost:       m + 2. x occurs once, in a linear row.
template OneHot(m) {
    assert(m >= 2 && m <= 2**20);
    signal input x;
    signal output y[m];

    var sum = 0, at = 0;
    for (var k = 0; k < m; k++) {
        y[k] <-- x == k ? 1 : 0;
        y[k] * (y[k] - 1) === 0;
        sum += y[k];
        at += k * y[k];
    }
    sum === 1;
    at === x;
}
