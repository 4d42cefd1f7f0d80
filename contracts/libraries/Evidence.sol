// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title The bits of a Result's evidence
library Evidence {
    /// @notice A Groth16 proof of the claim was checked by the chain.
    uint32 internal constant ZK = 1;
    /// @notice Attested hardware signed for the environment.
    uint32 internal constant ATTESTED = 2;
    /// @notice Nobody challenged the result in time.
    uint32 internal constant OPTIMISTIC = 4;
    /// @notice A caveat: whoever made the model's key can prove anything with it.
    uint32 internal constant DEVELOPMENT_KEY = 8;
    /// @notice The coordinator read the input from another contract, at the block of the request.
    uint32 internal constant CHAIN_INPUT = 16;
}
