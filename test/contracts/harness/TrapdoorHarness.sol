// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Trapdoor} from "./Trapdoor.sol";

/// @notice Opens Trapdoor to TypeScript, to hold the two equal.
contract TrapdoorHarness {
    function key() external pure returns (bytes memory) {
        return Trapdoor.KEY;
    }

    function prove(uint256[3] calldata signals, uint256 a) external view returns (uint256[8] memory) {
        return Trapdoor.prove(signals, a);
    }
}
