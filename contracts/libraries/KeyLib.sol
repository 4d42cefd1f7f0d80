// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Bn254} from "./Bn254.sol";

/// @title Verifying keys: 22 words, kept as the code of a contract
/// @notice alpha (G1) | beta, gamma, delta (G2) | IC[0..3] (G1). Words are big-endian coordinates; a G2 point is
/// x imaginary, x real, y imaginary, y real. Errors name a point by the position of its first word.
library KeyLib {
    uint256 internal constant LENGTH = 704;
    uint256 internal constant ALPHA = 0;
    uint256 internal constant BETA = 2;
    uint256 internal constant GAMMA = 6;
    uint256 internal constant DELTA = 10;
    uint256 internal constant IC = 14;
    uint256 internal constant WORDS = 22;

    error KeyLengthInvalid(uint256 length);
    error KeyCoordinateOutOfField(uint256 word, uint256 value);
    error KeyPointAtInfinity(uint256 word);
    error KeyPointNotOnCurve(uint256 word);
    /// @notice beta, gamma or delta is off the curve or outside of the subgroup of order R.
    error KeyPointNotInSubgroup();
    error KeyAlphaIsGenerator();
    error KeyBetaIsGenerator();
    /// @notice The setup had no contribution: delta is still the generator (or its negative).
    error KeyDeltaIsGenerator();
    /// @notice Two of beta, gamma and delta are equal (or negatives of each other): anything can be proven.
    error KeyPointsEqual(uint256 word, uint256 otherWord);
    error KeyNotStored();
    error KeyCodeInvalid(address key, uint256 size);

    /// @notice Reverts unless the key is well formed and free of the marks of a setup that anybody could forge with. A key
    /// that passes may still have a maker who kept the secrets: that is what {KeyKind} and the ceremony's transcript are
    /// about.
    function validate(bytes calldata key) internal view {
        require(key.length == LENGTH, KeyLengthInvalid(key.length));
        uint256[WORDS] memory k = abi.decode(key, (uint256[22]));
        for (uint256 i = 0; i < WORDS; ++i) require(k[i] < Bn254.Q, KeyCoordinateOutOfField(i, k[i]));

        _validateG1(k, ALPHA);
        for (uint256 i = IC; i < WORDS; i += 2) _validateG1(k, i);
        for (uint256 i = BETA; i < IC; i += 4) {
            require(k[i] | k[i + 1] | k[i + 2] | k[i + 3] != 0, KeyPointAtInfinity(i));
        }
        require(_inSubgroup(k), KeyPointNotInSubgroup());

        // On the curve, x is equal for a point and its negative only.
        require(k[ALPHA] != Bn254.G1_X, KeyAlphaIsGenerator());
        require(!_isGenerator(k, BETA), KeyBetaIsGenerator());
        require(!_isGenerator(k, DELTA), KeyDeltaIsGenerator());
        require(!_sameX(k, GAMMA, DELTA), KeyPointsEqual(GAMMA, DELTA));
        require(!_sameX(k, BETA, GAMMA), KeyPointsEqual(BETA, GAMMA));
        require(!_sameX(k, BETA, DELTA), KeyPointsEqual(BETA, DELTA));
    }

    /// @notice Writes `key` (704 bytes) as the code of a new contract, after a STOP so that it can never run.
    function store(bytes calldata key) internal returns (address pointer) {
        // Constructor: PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE (0), RETURN.
        bytes memory init = abi.encodePacked(hex"61", uint16(LENGTH + 1), hex"80_60_0a_3d_39_3d_f3_00", key);
        // Memory: reads init, as Solidity laid it out (length, then bytes). Writes nothing.
        assembly ("memory-safe") {
            pointer := create(0, add(init, 0x20), mload(init))
        }
        require(pointer != address(0), KeyNotStored());
    }

    /// @notice Reads what {store} wrote.
    function load(address pointer) internal view returns (uint256[WORDS] memory words) {
        uint256 size = pointer.code.length;
        require(size == LENGTH + 1, KeyCodeInvalid(pointer, size));
        // Memory: fills words, the 704 bytes that Solidity allocated for the return value.
        assembly ("memory-safe") {
            extcodecopy(pointer, words, 1, LENGTH)
        }
    }

    function _validateG1(uint256[WORDS] memory k, uint256 word) private pure {
        require(k[word] | k[word + 1] != 0, KeyPointAtInfinity(word));
        require(Bn254.onCurve(k[word], k[word + 1]), KeyPointNotOnCurve(word));
    }

    /// @dev The pairing precompile refuses points that are not in the subgroup (EIP-197); what it computes is not used.
    function _inSubgroup(uint256[WORDS] memory k) private view returns (bool ok) {
        uint256[18] memory pairs;
        for (uint256 i = 0; i < 3; ++i) {
            pairs[6 * i] = Bn254.G1_X;
            pairs[6 * i + 1] = Bn254.G1_Y;
            for (uint256 j = 0; j < 4; ++j) pairs[6 * i + 2 + j] = k[BETA + 4 * i + j];
        }
        // Memory: reads pairs (three times G1 64 | G2 128). Writes the answer to the scratch word 0x00.
        assembly ("memory-safe") {
            ok := staticcall(gas(), 0x08, pairs, 0x240, 0x00, 0x20)
            ok := and(ok, eq(returndatasize(), 0x20))
        }
    }

    function _isGenerator(uint256[WORDS] memory k, uint256 word) private pure returns (bool) {
        return k[word] == Bn254.G2_X_IMAGINARY && k[word + 1] == Bn254.G2_X_REAL;
    }

    function _sameX(uint256[WORDS] memory k, uint256 a, uint256 b) private pure returns (bool) {
        return k[a] == k[b] && k[a + 1] == k[b + 1];
    }
}
