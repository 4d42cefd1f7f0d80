pragma circom 2.1.6;

// z = x y.
//
// Parameters: none. Requires: nothing. Ensures: the formula. Cost: 1. Both inputs occur in the product.
template Mul() {
    signal input x, y;
    signal output z;
    z <== x * y;
}
