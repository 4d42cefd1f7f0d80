// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {Groth16} from "./libraries/Groth16.sol";

contract Groth16Verifier is IGroth16Verifier {
    /// @inheritdoc IGroth16Verifier
    function verify(address key, uint256[8] calldata proof, uint256[3] calldata signals) external view {
        Groth16.verify(key, proof, signals);
    }
}
