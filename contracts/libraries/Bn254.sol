// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title The curve BN254 (alt_bn128), as EIP-196 and EIP-197 have it
library Bn254 {
    /// @notice Order of the groups: the field of the signals.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @notice Field of the coordinates.
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @notice The generator of G1 is (1, 2).
    uint256 internal constant G1_X = 1;
    uint256 internal constant G1_Y = 2;
    /// @notice x of the generator of G2.
    uint256 internal constant G2_X_IMAGINARY =
        11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 internal constant G2_X_REAL = 10857046999023057135944570762232829481370756359578518086990519993285655852781;

    /// @notice Whether the affine point (x, y), coordinates below Q, fulfils y^2 = x^3 + 3. Then it is in G1, which has
    /// no cofactor. Infinity, written (0, 0), does not.
    function onCurve(uint256 x, uint256 y) internal pure returns (bool) {
        return mulmod(y, y, Q) == addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q);
    }
}
