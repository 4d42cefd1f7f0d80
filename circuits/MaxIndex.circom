pragma circom 2.1.6;

// m = max(x, y), k = x >= y ? i : j: a step of argmax. x is the maximum so far, found at i; y is the next value, at j, so
// that the earlier index wins a tie.
//
// Parameters: n, 0 <= n <= 52.
// Requires:   nothing: no witness exists unless -2^n <= x - y < 2^n.
// Ensures:    m and k equal the formulas.
// Cost:       n + 4. All inputs occur in products: bind them to wires.
template MaxIndex(n) {
    assert(n >= 0 && n <= 52);
    signal input x, i, y, j;
    signal output m, k;
    signal b[n+1];                            // b[n] = 1 iff x >= y

    var sum = 0;
    for (var t = 0; t <= n; t++) {
        b[t] <-- ((x - y + 2**n) >> t) & 1;
        b[t] * (b[t] - 1) === 0;
        sum += b[t] * 2**t;
    }
    sum === x - y + 2**n;
    m <== y + b[n] * (x - y);
    k <== j + b[n] * (i - j);
}
