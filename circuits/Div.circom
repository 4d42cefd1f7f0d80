pragma circom 2.1.6;

// q = floor(a / b), 1 <= b; a may be negative.
//
// Parameters: n, lo: lo <= q < lo + 2^n, 1 <= n <= 53; k, 1 <= k <= 52: b <= 2^k; |lo| < 2^53.
// Requires:   nothing: no witness exists unless 1 <= b < 2^(k+1) and lo <= q < lo + 2^n.
// Ensures:    q equals the formula. The bits make r and b - 1 - r integers of at least 0, so that 0 <= r < b, and q one of
//             its range; q b + r is then an integer of less than 2^108, which the field holds without wrapping.
// Cost:       n + 2k + 3. a and b occur in a product: bind them to wires.
template Div(n, lo, k) {
    assert(n >= 1 && n <= 53 && k >= 1 && k <= 52);
    signal input a, b;
    signal output q;
    signal p[n];                              // q - lo
    signal r[k];                              // the remainder
    signal s[k];                              // b - 1 - r

    var shifted = (a + 2**53 * b) \ b - 2**53 - lo;
    var rest = a - (shifted + lo) * b;
    var high = 0, low = 0, gap = 0;
    for (var i = 0; i < n; i++) {
        p[i] <-- (shifted >> i) & 1;
        p[i] * (p[i] - 1) === 0;
        high += p[i] * 2**i;
    }
    for (var i = 0; i < k; i++) {
        r[i] <-- (rest >> i) & 1;
        r[i] * (r[i] - 1) === 0;
        low += r[i] * 2**i;
        s[i] <-- ((b - 1 - rest) >> i) & 1;
        s[i] * (s[i] - 1) === 0;
        gap += s[i] * 2**i;
    }
    q <== lo + high;
    q * b === a - low;
    gap === b - 1 - low;
}
