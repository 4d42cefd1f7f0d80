// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Whether a signature is an account's: ECDSA, ERC-1271, and ERC-6492 for accounts that are not deployed yet
/// @notice A contract of its own, without any rights, because ERC-6492 calls what the signature names: whoever holds money
/// must not make such calls itself.
interface ISignatureValidator {
    /// @dev Not a view: an ERC-6492 signature may deploy the account.
    function isValid(address signer, bytes32 hash, bytes calldata signature) external returns (bool);
}
