// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Bn254} from "./Bn254.sol";

/// @title The claim: what the three public signals of every proof say
/// @notice Input and output are cut into words of 31 bytes, each a big-endian number, the last of the input and the last
/// of the output padded with zeros on the right; input words first. The signals are
///   c  the circuit's sponge over the words; comes with the proof,
///   v  the sum of word[i] * r^(i+1) mod R,
///   r  a hash of everything that the claim is about, c included.
/// The circuit proves c and v for a given r. It is the contract that computes r and v, from the bytes that it holds. Sound
/// because c fixes the prover's words before r exists: two different lists of words agree at v for at most n of R values
/// of r.
/// If the input is private, c is the sponge over a salt and the input's words, the input that is passed here is empty and its
/// hash is c; v covers the output alone, which c fixes because the model maps one input to one output.
library ClaimLib {
    bytes32 internal constant DOMAIN_CLAIM = keccak256("glassbox.claim.v1");
    bytes32 internal constant DOMAIN_SAMPLE = keccak256("glassbox.sample.v1");
    bytes32 internal constant DOMAIN_DIRECT = keccak256("glassbox.direct.v1");

    uint256 private constant WORD = 31;

    /// @notice The signals [c, v, r] of the claim that `prover` makes about `input` and `output`.
    /// @param domain DOMAIN_CLAIM for a request, DOMAIN_SAMPLE for a model's registration, DOMAIN_DIRECT for a caller.
    /// @param subject The contract that checks the claim.
    /// @param request The request's id; zero for a sample or a caller.
    function signals(
        bytes32 domain,
        address subject,
        bytes32 request,
        bytes32 model,
        address prover,
        uint256 c,
        bytes calldata input,
        bytes32 inputHash,
        bytes calldata output
    ) internal view returns (uint256[3] memory) {
        uint256 r = challenge(domain, subject, request, model, prover, c, inputHash, keccak256(output));
        return [c, fingerprint(input, output, r), r];
    }

    function challenge(
        bytes32 domain,
        address subject,
        bytes32 request,
        bytes32 model,
        address prover,
        uint256 c,
        bytes32 inputHash,
        bytes32 outputHash
    ) internal view returns (uint256 r) {
        bytes memory text = abi.encode(
            domain,
            block.chainid,
            subject,
            request,
            model,
            prover,
            c,
            inputHash,
            outputHash
        );
        return uint256(keccak256(text)) % Bn254.R;
    }

    function fingerprint(bytes calldata input, bytes calldata output, uint256 r) internal pure returns (uint256 v) {
        return _horner(input, r, _horner(output, r, 0));
    }

    /// @dev (..(v + last word) * r + last but one) * r ..) * r
    function _horner(bytes calldata data, uint256 r, uint256 v) private pure returns (uint256) {
        uint256 modulus = Bn254.R;
        // Memory: none. Calldata: words from the last to the first, each the upper 31 bytes of the 32 that begin with it; the
        // shift drops the byte after it. Of the last word's bytes only those within data count, whatever follows them.
        // v < R < 2^254 and a word is below 2^248, so that the sum does not wrap. Solidity's slices cost twice as much.
        assembly ("memory-safe") {
            let rest := mod(data.length, WORD)
            let p := add(data.offset, sub(data.length, rest))
            if rest {
                let word := shr(8, and(calldataload(p), not(shr(shl(3, rest), not(0)))))
                v := mulmod(add(v, word), r, modulus)
            }
            for {} gt(p, data.offset) {} {
                p := sub(p, WORD)
                v := mulmod(add(v, shr(8, calldataload(p))), r, modulus)
            }
        }
        return v;
    }
}
