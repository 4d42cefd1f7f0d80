pragma circom 2.1.6;

// out = in^5, the only non-linear part of Poseidon over BN254; the same rows and names as Sigma in circomlib's
// poseidon.circom, whose 2 MB of constants this file does not make the compiler read.
//
// Parameters: none. Requires: nothing. Ensures: the formula. Cost: 3. in occurs in products.
template Sbox() {
    signal input in;
    signal output out;
    signal in2;
    signal in4;
    in2 <== in * in;
    in4 <== in2 * in2;
    out <== in4 * in;
}
