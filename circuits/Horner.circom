pragma circom 2.1.6;

// o = (t + w) r: one step, from the last word to the first, of the claim's fingerprint v = sum of w_i r^(i+1).
//
// Parameters: none. Requires: nothing. Ensures: the formula. Cost: 1. All inputs occur in a product.
template Horner() {
    signal input t, w, r;
    signal output o;
    o <== (t + w) * r;
}
