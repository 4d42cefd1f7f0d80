// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Checks Groth16 proofs under any key of three signals
/// @notice Stateless. The coordinator has its proofs checked here; the registry carries the same code inside.
interface IGroth16Verifier {
    error ProofsLengthInvalid(uint256 length);

    /// @notice Returns if `proof` proves `signals` under the key at `key`, and reverts with the reason if it does not.
    /// A caller that ignores return values is therefore safe, and so is one that forgets to look at them.
    /// @param key Contract whose code is 0x00 and then the 704 bytes of a verifying key: take it from
    /// {IModelRegistry-headOf}. Nothing is known of a key from elsewhere.
    /// @param proof A.x, A.y, B.x imaginary, B.x real, B.y imaginary, B.y real, C.x, C.y, each below the coordinates' field.
    /// Proofs can be re-randomised by anybody: never use one as a name or a nonce.
    /// @param signals c, v, r, each below the order of the groups. To mean anything they must be computed from the claim, not
    /// taken from whoever brings the proof.
    function verify(address key, uint256[8] calldata proof, uint256[3] calldata signals) external view;

    /// @notice Which of many proofs of one key hold, for far less gas than one after the other: about 50,000 each instead of
    /// 200,000 if all of them do. A proof that does not hold makes it dearer, and never revert.
    /// @param proofs 352 bytes each, at most 256: the eight words of a proof as in {verify}, then its three signals.
    /// @return valid Bit i is set if {verify} would accept proof i. Look at it: this function returns its answer.
    /// @return decided The proofs before this one were decided; for the others the gas ran low.
    function verifyMany(address key, bytes calldata proofs) external view returns (uint256 valid, uint256 decided);
}
