pragma circom 2.1.6;

// y = x >= 0 ? 1 : 0: one comparison.
//
// Parameters: n, 1 <= n <= 52.
// Requires:   nothing of x: no witness exists unless -2^n <= x < 2^n.
// Ensures:    y equals the formula: y is the top bit of x + 2^n.
// Cost:       n + 2. x occurs once, in the linear row.
template AtLeast(n) {
    assert(n >= 1 && n <= 52);
    signal input x;
    signal output y;
    signal b[n];

    var sum = 0;
    for (var i = 0; i < n; i++) {
        b[i] <-- ((x + 2**n) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        sum += b[i] * 2**i;
    }
    y <-- ((x + 2**n) >> n) & 1;
    y * (y - 1) === 0;
    sum + y * 2**n === x + 2**n;
}
