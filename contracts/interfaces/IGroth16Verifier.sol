// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Checks one Groth16 proof under any key of three signals
/// @notice Stateless. The registry and the coordinator carry the same code inside; this contract is for auditors and for
/// other contracts.
interface IGroth16Verifier {
    /// @notice Returns if `proof` proves `signals` under the key at `key`, and reverts with the reason if it does not.
    /// A caller that ignores return values is therefore safe, and so is one that forgets to look at them.
    /// @param key Contract whose code is 0x00 and then the 704 bytes of a verifying key: take it from
    /// {IModelRegistry-headOf}. Nothing is known of a key from elsewhere.
    /// @param proof A.x, A.y, B.x imaginary, B.x real, B.y imaginary, B.y real, C.x, C.y, each below the coordinates' field.
    /// Proofs can be re-randomised by anybody: never use one as a name or a nonce.
    /// @param signals c, v, r, each below the order of the groups. To mean anything they must be computed from the claim, not
    /// taken from whoever brings the proof.
    function verify(address key, uint256[8] calldata proof, uint256[3] calldata signals) external view;
}
