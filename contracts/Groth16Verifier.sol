// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {Groth16} from "./libraries/Groth16.sol";

contract Groth16Verifier is IGroth16Verifier, ERC165 {
    /// @inheritdoc IGroth16Verifier
    function verify(address key, uint256[8] calldata proof, uint256[3] calldata signals) external view {
        Groth16.verify(key, proof, signals);
    }

    /// @inheritdoc IGroth16Verifier
    function verifyMany(address key, bytes calldata proofs) external view returns (uint256 valid, uint256 decided) {
        uint256 length = proofs.length;
        require(length % Groth16.LENGTH == 0 && length <= 256 * Groth16.LENGTH, ProofsLengthInvalid(length));
        return Groth16.verifyMany(key, proofs);
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IGroth16Verifier).interfaceId || super.supportsInterface(id);
    }
}
