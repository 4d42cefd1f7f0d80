// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Bn254} from "./Bn254.sol";
import {KeyLib} from "./KeyLib.sol";

/// @title Groth16 over BN254, for keys of three signals
/// @notice Accepts iff e(-A, B) e(alpha, beta) e(IC0 + sum signal_j IC_j, gamma) e(C, delta) = 1.
library Groth16 {
    /// @notice The equation does not hold, or a point of the proof is not in its group.
    error InvalidProof();
    error SignalOutOfField(uint256 index, uint256 value);
    error CoordinateOutOfField(uint256 index, uint256 value);

    /// @notice Reverts unless `proof` proves `signals` under the key stored at `key`.
    /// @param key As written by {KeyLib-store}. The caller answers for its being a good key.
    /// @param proof A.x, A.y, B.x imaginary, B.x real, B.y imaginary, B.y real, C.x, C.y
    function verify(address key, uint256[8] calldata proof, uint256[3] memory signals) internal view {
        // Precompiles reduce scalars: without the bound, s and s + R would be one signal with two spellings.
        for (uint256 i = 0; i < 3; ++i) require(signals[i] < Bn254.R, SignalOutOfField(i, signals[i]));
        for (uint256 i = 0; i < 8; ++i) require(proof[i] < Bn254.Q, CoordinateOutOfField(i, proof[i]));

        uint256[22] memory k = KeyLib.load(key);
        (uint256 x, uint256 y) = _combine(k, signals);

        uint256[24] memory pairs = [
            // -A, B
            proof[0],
            (Bn254.Q - proof[1]) % Bn254.Q,
            proof[2],
            proof[3],
            proof[4],
            proof[5],
            // alpha, beta
            k[KeyLib.ALPHA],
            k[KeyLib.ALPHA + 1],
            k[KeyLib.BETA],
            k[KeyLib.BETA + 1],
            k[KeyLib.BETA + 2],
            k[KeyLib.BETA + 3],
            // the signals' point, gamma
            x,
            y,
            k[KeyLib.GAMMA],
            k[KeyLib.GAMMA + 1],
            k[KeyLib.GAMMA + 2],
            k[KeyLib.GAMMA + 3],
            // C, delta
            proof[6],
            proof[7],
            k[KeyLib.DELTA],
            k[KeyLib.DELTA + 1],
            k[KeyLib.DELTA + 2],
            k[KeyLib.DELTA + 3]
        ];
        bool holds;
        // Memory: reads pairs (four times G1 64 | G2 128). Writes the answer, 0 or 1, to the scratch word 0x00, cleared before
        // for chains without the precompile; it counts only if the call succeeded.
        assembly ("memory-safe") {
            mstore(0x00, 0)
            holds := staticcall(gas(), 0x08, pairs, 0x300, 0x00, 0x20)
            holds := and(holds, eq(mload(0x00), 1))
        }
        require(holds, InvalidProof());
    }

    /// @dev IC[0] + signals[0] IC[1] + signals[1] IC[2] + signals[2] IC[3]
    function _combine(uint256[22] memory k, uint256[3] memory signals) private view returns (uint256, uint256) {
        uint256[5] memory m = [k[KeyLib.IC], k[KeyLib.IC + 1], 0, 0, 0];
        _addProduct(m, k[KeyLib.IC + 2], k[KeyLib.IC + 3], signals[0]);
        _addProduct(m, k[KeyLib.IC + 4], k[KeyLib.IC + 5], signals[1]);
        _addProduct(m, k[KeyLib.IC + 6], k[KeyLib.IC + 7], signals[2]);
        return (m[0], m[1]);
    }

    /// @dev (m[0], m[1]) += scalar (x, y)
    function _addProduct(uint256[5] memory m, uint256 x, uint256 y, uint256 scalar) private view {
        (m[2], m[3], m[4]) = (x, y, scalar);
        bool ok;
        // Memory: m + 0x40 .. 0x9f (point, scalar) becomes the product at m + 0x40 .. 0x7f; then m + 0x00 .. 0x7f (sum,
        // product) becomes the sum at m + 0x00 .. 0x3f.
        assembly ("memory-safe") {
            ok := staticcall(gas(), 0x07, add(m, 0x40), 0x60, add(m, 0x40), 0x40)
            ok := and(ok, staticcall(gas(), 0x06, m, 0x80, m, 0x40))
        }
        require(ok, InvalidProof());
    }
}
