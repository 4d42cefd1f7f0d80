pragma circom 2.1.6;

// y = min(x, hi): the upper end of a clamp whose width is no power of two, after Rescale has done the rest.
//
// Parameters: n, 0 <= n <= 52; hi.
// Requires:   nothing of x: no witness exists unless -2^n <= x - hi - 1 < 2^n.
// Ensures:    y equals the formula.
// Cost:       n + 3. x occurs in a product: bind it to a wire.
template AtMost(n, hi) {
    assert(n >= 0 && n <= 52);
    signal input x;
    signal output y;
    signal b[n+1];                            // b[n] = 1 iff x > hi

    var sum = 0;
    for (var i = 0; i <= n; i++) {
        b[i] <-- ((x - hi - 1 + 2**n) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        sum += b[i] * 2**i;
    }
    sum === x - hi - 1 + 2**n;
    y <== x + b[n] * (hi - x);
}
