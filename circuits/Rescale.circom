pragma circom 2.1.6;

// y = clamp(floor((x + half) / 2^s), lo, lo + 2^k - 1), half = 2^(s-1) or 0 where s = 0.
// The quotient is the upper bits of u = x + half - lo 2^s, whose lower s bits are the proved remainder.
//
// Parameters: s, k, lo as above (lo may be negative); signed = 1 where u may be negative; B bits hold u (u + 2^(B-1) where signed = 1).
//             signed + s < B <= 53, k >= 1.
// Requires:   nothing of x: no witness exists unless 0 <= u < 2^B, or -2^(B-1) <= u < 2^(B-1) where signed = 1.
// Ensures:    y equals the formula. b are boolean and spell u (u + 2^(B-1)): where nothing is clamped, b[s] to b[s+k-1]
//             spell y - lo, for tables to choose by. The top bit is 1 where a signed u is not negative; out is 1 where u
//             is outside of what the k bits spell.
// Cost:       B + 2 where the B bits rule out one end of the clamp (B - signed <= s + k, or one bit above and
//             signed = 0), else B + 4. x occurs once, in the linear row.
template Rescale(B, s, k, lo, signed) {
    assert(signed == 0 || signed == 1);
    assert(s >= 0 && k >= 1);
    assert(B > s + signed && B <= 53);
    signal input x;
    signal output y;
    signal output b[B];

    var h = B - signed - s - k;               // bits in `high`
    var tests = h > 1 || (h == 1 && signed == 1) ? 1 : 0;
    signal output inv[tests];                 // for nobody to read; its place in the order of wires is an old one
    signal output out[tests];                 // 0 where u lies inside [0, 2^k), else 1

    var off = -lo * 2**s;
    if (s > 0) { off += 2**(s-1); }
    if (signed == 1) { off += 2**(B-1); }

    var sum = 0, kept = 0, high = 0;          // u = sign, high, kept (k bits), remainder (s bits)
    for (var i = 0; i < B; i++) {
        b[i] <-- ((x + off) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        sum += b[i] * 2**i;
        if (i >= s && i < B - signed) {
            if (i < s + k) { kept += b[i] * 2**(i-s); } else { high += b[i] * 2**(i-s-k); }
        }
    }
    sum === x + off;

    if (h <= 0) {
        if (signed == 1) {
            y <== lo + b[B-1] * kept;
        } else {
            y <== lo + kept;
        }
    } else if (h == 1 && signed == 0) {
        y <== lo + kept + b[B-1] * (2**k - 1 - kept);
    } else {
        // z = 0 iff u is inside: 0 <= high < 2^h, so that high = (1 - b[B-1]) 2^h only for 0 and a sign bit of 1
        var z = high, top = 2**k - 1;
        if (signed == 1) { z += (b[B-1] - 1) * 2**h; top *= b[B-1]; }
        inv[0] <-- z != 0 ? 1 / z : 0;
        out[0] <-- z != 0 ? 1 : 0;            // 0 if z = 0, else 1
        z * inv[0] === out[0];
        (1 - out[0]) * z === 0;
        y <== lo + kept + out[0] * (top - kept);
    }
}
