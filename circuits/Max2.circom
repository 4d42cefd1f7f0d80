pragma circom 2.1.6;

// m = max(x, y). The maximum of k values is k - 1 of these in a chain.
//
// Parameters: n, 0 <= n <= 52.
// Requires:   nothing of x, y: no witness exists unless -2^n <= x - y < 2^n.
// Ensures:    m equals the formula.
// Cost:       n + 3. x and y occur in a product: bind them to wires.
template Max2(n) {
    assert(n >= 0 && n <= 52);
    signal input x, y;
    signal output m;
    signal b[n+1];                            // b[n] = 1 iff x >= y

    var sum = 0;
    for (var i = 0; i <= n; i++) {
        b[i] <-- ((x - y + 2**n) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        sum += b[i] * 2**i;
    }
    sum === x - y + 2**n;
    m <== y + b[n] * (x - y);
}
