// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Bn254} from "./Bn254.sol";
import {KeyLib} from "./KeyLib.sol";

/// @title Groth16 over BN254, for keys of three signals
/// @notice A proof holds iff e(A, B) = e(alpha, beta) e(IC0 + sum_j signal_j IC_j, gamma) e(C, delta).
/// Proofs of one key are checked at once as the product of their equations, the i-th to the power of w_i = rho^i:
///   prod_i e(w_i A_i, B_i) = e(sum_i w_i alpha, beta) e(sum_i w_i (IC0 + sum_j signal_ij IC_j), gamma) e(sum_i w_i C_i, delta).
/// In the exponent this is a polynomial of rho, whose coefficients are fixed before anybody can know rho, the hash of all
/// proofs and signals. Unless all of n proofs hold it is not zero, and has fewer than n of the R values of rho for roots.
library Groth16 {
    /// @notice The equation does not hold, or a point of the proof is not in its group.
    error InvalidProof();
    error SignalOutOfField(uint256 index, uint256 value);
    error CoordinateOutOfField(uint256 index, uint256 value);

    /// @dev What the pairing precompile costs since EIP-1108, for itself and for each pair.
    uint256 private constant PAIRING_GAS = 45_000;
    uint256 private constant PAIR_GAS = 34_000;
    /// @dev An upper bound of what a check costs beside the proofs' pairs.
    uint256 private constant CHECK_GAS = 50_000;
    /// @dev Bytes of a proof and its signals.
    uint256 internal constant LENGTH = 352;

    /// @dev Proofs of one key in memory, each multiplied by its weight w.
    struct Batch {
        uint256[22] key;
        /// The pairs (w A, B), six words each, one after the other, with room for three more before the first.
        uint256[] pairs;
        /// sums[i]: of the first i proofs.
        Sums[] sums;
    }

    struct Sums {
        /// w, and w times each signal; mod R.
        uint256 w;
        uint256 c;
        uint256 v;
        uint256 r;
        /// w C
        uint256 x;
        uint256 y;
    }

    /// @notice Reverts unless `proof` proves `signals` under the key stored at `key`.
    /// @param key As written by {KeyLib-store}. The caller answers for its being a good key.
    /// @param proof A.x, A.y, B.x imaginary, B.x real, B.y imaginary, B.y real, C.x, C.y
    function verify(address key, uint256[8] calldata proof, uint256[3] memory signals) internal view {
        // Precompiles reduce scalars: without the bound, s and s + R would be one signal with two spellings.
        for (uint256 i = 0; i < 3; ++i) require(signals[i] < Bn254.R, SignalOutOfField(i, signals[i]));
        for (uint256 i = 0; i < 8; ++i) require(proof[i] < Bn254.Q, CoordinateOutOfField(i, proof[i]));
        require(_inG1(proof), InvalidProof());
        Batch memory batch = _open(key, 1);
        _add(batch, 0, 1, proof, signals[0], signals[1], signals[2]);
        require(_holds(batch, 0, 1, gasleft()), InvalidProof());
    }

    /// @notice Which of many proofs of one key {verify} would accept. One check if all of them do. Else halves are checked, and
    /// so on, to the first bad one; from there on as many as before and then twice as many: at most three checks for two
    /// proofs, and a few.
    /// @param proofs 352 bytes each: the eight words of a proof, then its signals.
    /// @return valid bit i is set if proof i holds
    /// @return decided how many were decided, from the first on, before the gas ran low
    function verifyMany(address key, bytes calldata proofs) internal view returns (uint256 valid, uint256 decided) {
        uint256 n = proofs.length / LENGTH;
        Batch memory batch = _open(key, n);
        uint256[] memory indices = new uint256[](n);
        uint256 rho = uint256(keccak256(proofs)) % Bn254.R;
        uint256 weight = 1;
        uint256 count = 0;
        for (uint256 i = 0; i < n; ++i) {
            uint256[8] calldata proof;
            uint256[3] calldata signals;
            // Memory: none. Calldata: where the words of proof i are.
            assembly ("memory-safe") {
                proof := add(proofs.offset, mul(i, 0x160))
                signals := add(proof, 0x100)
            }
            if (!_inField(proof, signals) || !_inG1(proof)) continue;
            _add(batch, count, weight, proof, signals[0], signals[1], signals[2]);
            indices[count++] = i;
            weight = mulmod(weight, rho, Bn254.R);
        }

        uint256 from = 0;
        uint256 size = count;
        // Among the proofs from `from` to before this one there is a bad one; 0 if that is not known.
        uint256 bad = 0;
        while (from < count) {
            if (bad == from + 1) {
                ++from;
                bad = 0;
                continue;
            }
            if (size > count - from) size = count - from;
            uint256 pairingGas = PAIRING_GAS + PAIR_GAS * (size + 3);
            if (gasleft() < CHECK_GAS + (pairingGas * 64) / 63) {
                if (size == 1) return (valid, indices[from]);
                size /= 2;
            } else if (_holds(batch, from, from + size, pairingGas)) {
                for (uint256 to = from + size; from < to; ++from) valid |= 1 << indices[from];
                size = bad > from + 1 ? (bad - from) / 2 : 2 * size;
            } else {
                bad = from + size;
                if (size > 1) size /= 2;
            }
        }
        return (valid, n);
    }

    function _open(address key, uint256 capacity) private view returns (Batch memory batch) {
        batch.key = KeyLib.load(key);
        batch.pairs = new uint256[](6 * (capacity + 3));
        batch.sums = new Sums[](capacity + 1);
    }

    /// @dev Adds a proof, the `i`-th, with coordinates and signals in their fields, A and C in G1.
    function _add(
        Batch memory batch,
        uint256 i,
        uint256 weight,
        uint256[8] calldata proof,
        uint256 c,
        uint256 v,
        uint256 r
    ) private view {
        Sums memory last = batch.sums[i];
        uint256[5] memory sum = [last.x, last.y, 0, 0, 0];
        _addProduct(sum, proof[6], proof[7], weight);
        batch.sums[i + 1] = Sums({
            w: addmod(last.w, weight, Bn254.R),
            c: addmod(last.c, mulmod(weight, c, Bn254.R), Bn254.R),
            v: addmod(last.v, mulmod(weight, v, Bn254.R), Bn254.R),
            r: addmod(last.r, mulmod(weight, r, Bn254.R), Bn254.R),
            x: sum[0],
            y: sum[1]
        });

        uint256[] memory pairs = batch.pairs;
        bool ok = true;
        // Memory: the pair's place (0xc0 bytes; three pairs and the length come before the first) gets A and the weight, then
        // their product in the first 0x40 bytes, then B after it.
        assembly ("memory-safe") {
            let pair := add(add(pairs, 0x260), mul(i, 0xc0))
            calldatacopy(pair, proof, 0x40)
            if iszero(eq(weight, 1)) {
                mstore(add(pair, 0x40), weight)
                ok := staticcall(gas(), 0x07, pair, 0x60, pair, 0x40)
            }
            calldatacopy(add(pair, 0x40), add(proof, 0x40), 0x80)
        }
        require(ok, InvalidProof());
    }

    /// @dev Whether the proofs from `from` to before `to` hold, all of them. Overwrites the three pairs before `from`.
    /// @param pairingGas What the precompile gets. It takes all of it if a point B is not in its group.
    function _holds(Batch memory batch, uint256 from, uint256 to, uint256 pairingGas) private view returns (bool) {
        uint256[22] memory k = batch.key;
        Sums memory a = batch.sums[from];
        Sums memory b = batch.sums[to];
        uint256[5] memory alpha;
        uint256 w = addmod(b.w, Bn254.R - a.w, Bn254.R);
        _addProduct(alpha, k[KeyLib.ALPHA], k[KeyLib.ALPHA + 1], w);
        uint256[5] memory ic;
        _addProduct(ic, k[KeyLib.IC], k[KeyLib.IC + 1], w);
        _addProduct(ic, k[KeyLib.IC + 2], k[KeyLib.IC + 3], addmod(b.c, Bn254.R - a.c, Bn254.R));
        _addProduct(ic, k[KeyLib.IC + 4], k[KeyLib.IC + 5], addmod(b.v, Bn254.R - a.v, Bn254.R));
        _addProduct(ic, k[KeyLib.IC + 6], k[KeyLib.IC + 7], addmod(b.r, Bn254.R - a.r, Bn254.R));
        uint256[5] memory c = [b.x, b.y, 0, 0, 0];
        _addProduct(c, a.x, _negative(a.y), 1);

        uint256[18] memory three = [
            // -alpha, beta
            alpha[0],
            _negative(alpha[1]),
            k[KeyLib.BETA],
            k[KeyLib.BETA + 1],
            k[KeyLib.BETA + 2],
            k[KeyLib.BETA + 3],
            // minus the signals' point, gamma
            ic[0],
            _negative(ic[1]),
            k[KeyLib.GAMMA],
            k[KeyLib.GAMMA + 1],
            k[KeyLib.GAMMA + 2],
            k[KeyLib.GAMMA + 3],
            // -C, delta
            c[0],
            _negative(c[1]),
            k[KeyLib.DELTA],
            k[KeyLib.DELTA + 1],
            k[KeyLib.DELTA + 2],
            k[KeyLib.DELTA + 3]
        ];
        return _pairing(batch.pairs, from, to, three, pairingGas);
    }

    /// @dev Whether the product of the pairings of `three` and the pairs from `from` to before `to` is 1.
    function _pairing(
        uint256[] memory pairs,
        uint256 from,
        uint256 to,
        uint256[18] memory three,
        uint256 pairingGas
    ) private view returns (bool success) {
        // Memory: the three (0x240 bytes) go before the pair `from`, where there is room or what was decided; reads from there
        // to the pair `to`, 0xc0 bytes each. Writes the answer, 0 or 1, to the scratch word 0x00, cleared before for chains
        // without the precompile; it counts only if the call succeeded.
        assembly ("memory-safe") {
            let start := add(add(pairs, 0x20), mul(from, 0xc0))
            mcopy(start, three, 0x240)
            mstore(0x00, 0)
            success := staticcall(pairingGas, 0x08, start, mul(add(sub(to, from), 3), 0xc0), 0x00, 0x20)
            success := and(success, eq(mload(0x00), 1))
        }
    }

    /// @dev (m[0], m[1]) += scalar (x, y)
    function _addProduct(uint256[5] memory m, uint256 x, uint256 y, uint256 scalar) private view {
        (m[2], m[3], m[4]) = (x, y, scalar);
        bool ok = true;
        // Memory: m + 0x40 .. 0x9f (point, scalar) becomes the product at m + 0x40 .. 0x7f; then m + 0x00 .. 0x7f (sum,
        // product) becomes the sum at m + 0x00 .. 0x3f.
        assembly ("memory-safe") {
            if iszero(eq(scalar, 1)) {
                ok := staticcall(gas(), 0x07, add(m, 0x40), 0x60, add(m, 0x40), 0x40)
            }
            ok := and(ok, staticcall(gas(), 0x06, m, 0x80, m, 0x40))
        }
        require(ok, InvalidProof());
    }

    function _negative(uint256 y) private pure returns (uint256) {
        return (Bn254.Q - y) % Bn254.Q;
    }

    /// @dev Whether signals and coordinates are below their bounds; of B's the pairing precompile finds that itself.
    function _inField(uint256[8] calldata p, uint256[3] calldata s) private pure returns (bool) {
        bool signals = s[0] < Bn254.R && s[1] < Bn254.R && s[2] < Bn254.R;
        return signals && p[0] < Bn254.Q && p[1] < Bn254.Q && p[6] < Bn254.Q && p[7] < Bn254.Q;
    }

    /// @dev Whether A and C are on the curve, or infinity. So no precompile but the pairing, which sees to B, can fail.
    function _inG1(uint256[8] calldata p) private pure returns (bool) {
        bool a = p[0] | p[1] == 0 || Bn254.onCurve(p[0], p[1]);
        return a && (p[6] | p[7] == 0 || Bn254.onCurve(p[6], p[7]));
    }
}
