pragma circom 2.1.6;

// y = c = 1 ? a : b. Tables are trees of these over the bits of their index.
//
// Parameters: none.
// Requires:   c in {0, 1}.
// Ensures:    y = b + c (a - b), whatever c.
// Cost:       1. All inputs occur in the product.
template Select() {
    signal input c, a, b;
    signal output y;
    y <== b + c * (a - b);
}
