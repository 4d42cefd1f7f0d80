pragma circom 2.1.6;

// The n bits of x + bias. Proves the range of x, and spells it for the claim: with bias = 2^(n-1) they are the two's
// complement of x with the top bit inverted.
//
// Parameters: n, 1 <= n <= 53; bias, -bias <= x.
// Requires:   nothing of x: no witness exists unless 0 <= x + bias < 2^n.
// Ensures:    b[i] boolean, sum b[i] 2^i = x + bias.
// Cost:       n + 1. x occurs once, in the linear row.
template Bits(n, bias) {
    assert(n >= 1 && n <= 53);
    signal input x;
    signal output b[n];

    var sum = 0;
    for (var i = 0; i < n; i++) {
        b[i] <-- ((x + bias) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        sum += b[i] * 2**i;
    }
    sum === x + bias;
}
