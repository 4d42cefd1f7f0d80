// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ClaimLib} from "../../../contracts/libraries/ClaimLib.sol";

/// @notice Opens ClaimLib to the vectors of test/vectors/claim.json.
contract ClaimHarness {
    function signals(
        bool sample,
        address subject,
        bytes32 request,
        bytes32 model,
        address prover,
        uint256 c,
        bytes calldata input,
        bytes calldata output
    ) external view returns (uint256[3] memory) {
        bytes32 domain = sample ? ClaimLib.DOMAIN_SAMPLE : ClaimLib.DOMAIN_CLAIM;
        return ClaimLib.signals(domain, subject, request, model, prover, c, input, keccak256(input), output);
    }

    function fingerprint(bytes calldata input, bytes calldata output, uint256 r) external pure returns (uint256) {
        return ClaimLib.fingerprint(input, output, r);
    }

    function fingerprintGas(
        bytes calldata input,
        bytes calldata output,
        uint256 r
    ) external view returns (uint256 used) {
        used = gasleft();
        ClaimLib.fingerprint(input, output, r);
        used -= gasleft();
    }
}
