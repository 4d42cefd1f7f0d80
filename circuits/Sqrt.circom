pragma circom 2.1.6;

// q = floor(sqrt(x)): q^2 <= x <= q^2 + 2q.
//
// Parameters: n, lo >= 0: lo <= q < lo + 2^n, 1 <= n <= 26; k, 1 <= k <= 28: 2q < 2^k.
// Requires:   nothing of x: no witness exists unless q lies in its range.
// Ensures:    q equals the formula. The bits make d = x - q^2 and 2q - d integers of at least 0, and q one of its range;
//             only one such q has x between its square and the next. All numbers are below 2^54.
// Cost:       n + 2k + 3. x occurs in a product's row: bind it to a wire.
template Sqrt(n, lo, k) {
    assert(n >= 1 && n <= 26 && k >= 1 && k <= 28 && lo >= 0 && lo < 2**26);
    signal input x;
    signal output q;
    signal p[n];                              // q - lo
    signal d[k];                              // x - q^2
    signal e[k];                              // 2q - d

    var root = 0;
    for (var i = 26; i >= 0; i--) { if ((root + 2**i) * (root + 2**i) <= x) { root += 2**i; } }
    var rest = x - root * root;
    var high = 0, low = 0, gap = 0;
    for (var i = 0; i < n; i++) {
        p[i] <-- ((root - lo) >> i) & 1;
        p[i] * (p[i] - 1) === 0;
        high += p[i] * 2**i;
    }
    for (var i = 0; i < k; i++) {
        d[i] <-- (rest >> i) & 1;
        d[i] * (d[i] - 1) === 0;
        low += d[i] * 2**i;
        e[i] <-- ((2 * root - rest) >> i) & 1;
        e[i] * (e[i] - 1) === 0;
        gap += e[i] * 2**i;
    }
    q <== lo + high;
    q * q === x - low;
    gap === 2 * q - low;
}
