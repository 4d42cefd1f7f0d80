pragma circom 2.1.6;

// y = clamp(round(x / 2^s), lo, lo + 2^k - 1), where halves go to the even neighbour.
// For an even lo the quotient is rounded up at halves, as in Rescale, and an odd one is then lowered by one; for an odd lo
// it is rounded down at halves, and an even one raised. Either way the correction stays within the lowest kept bit: the
// upper bits of u = x + (lo even ? 2^(s-1) : 2^(s-1) - 1) - lo 2^s need none, and a clamped value is never corrected
// into, or out of, the range.
//
// Parameters: s >= 1, k >= 1, lo as above, |lo| < 2^53; signed = 1 where u may be negative; B bits hold u
//             (u + 2^(B-1) where signed = 1). signed + s < B <= 53.
// Requires:   nothing of x: no witness exists unless 0 <= u < 2^B, or -2^(B-1) <= u < 2^(B-1) where signed = 1.
// Ensures:    y equals the formula. b are boolean; where nothing is clamped, b[s] to b[s+k-1] spell y - lo, but for fix,
//             to be taken from b[s] where lo is even and added to it where lo is odd. The top bit and out are as in Rescale.
// Cost:       B + 5 where the B bits rule out one end of the clamp (B - signed <= s + k, or one bit above and
//             signed = 0), else B + 7. x occurs once, in the linear row.
template RescaleEven(B, s, k, lo, signed) {
    assert(signed == 0 || signed == 1);
    assert(s >= 1 && k >= 1);
    assert(B > s + signed && B <= 53);
    signal input x;
    signal output y;
    signal output b[B];
    signal output fix;

    var h = B - signed - s - k;               // bits in `high`
    var tests = h > 1 || (h == 1 && signed == 1) ? 1 : 0;
    signal output out[tests];                 // 0 where u lies inside [0, 2^k), else 1
    signal inv[tests];
    signal rinv, tie;

    var odd = (lo + 2**60) % 2;
    var off = 2**(s-1) - odd - lo * 2**s;
    if (signed == 1) { off += 2**(B-1); }

    var sum = 0, low = 0, kept = 0, high = 0; // u = sign, high, kept (k bits), low (s bits)
    for (var i = 0; i < B; i++) {
        b[i] <-- ((x + off) >> i) & 1;
        b[i] * (b[i] - 1) === 0;
        sum += b[i] * 2**i;
        if (i < s) { low += b[i] * 2**i; }
        if (i >= s && i < B - signed) {
            if (i < s + k) { kept += b[i] * 2**(i-s); } else { high += b[i] * 2**(i-s-k); }
        }
    }
    sum === x + off;

    var half = low;                           // 0 at a tie: low is 0 where halves went up, else all ones
    if (odd == 1) { half -= 2**s - 1; }
    rinv <-- half != 0 ? 1 / half : 0;
    tie <== 1 - half * rinv;
    tie * half === 0;
    if (odd == 1) {
        fix <== tie * (1 - b[s]);
        kept += fix;
    } else {
        fix <== tie * b[s];
        kept -= fix;
    }

    if (h <= 0) {                             // from here on as in Rescale
        if (signed == 1) {
            y <== lo + b[B-1] * kept;
        } else {
            y <== lo + kept;
        }
    } else if (h == 1 && signed == 0) {
        y <== lo + kept + b[B-1] * (2**k - 1 - kept);
    } else {
        var z = high, top = 2**k - 1;
        if (signed == 1) { z += (b[B-1] - 1) * 2**h; top *= b[B-1]; }
        inv[0] <-- z != 0 ? 1 / z : 0;
        out[0] <-- z != 0 ? 1 : 0;            // 0 if z = 0, else 1
        z * inv[0] === out[0];
        (1 - out[0]) * z === 0;
        y <== lo + kept + out[0] * (top - kept);
    }
}
