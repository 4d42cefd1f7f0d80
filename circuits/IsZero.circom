pragma circom 2.1.6;

// y = x = 0 ? 1 : 0.
//
// Parameters: none.
// Requires:   nothing.
// Ensures:    y equals the formula: x = 0 makes the first row say y = 1; x != 0 makes the second say y = 0.
// Cost:       2. x occurs in products.
template IsZero() {
    signal input x;
    signal output y;
    signal inv;                               // free where x = 0
    inv <-- x != 0 ? 1 / x : 0;
    y <== 1 - x * inv;
    x * y === 0;
}
