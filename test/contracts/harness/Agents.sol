// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice What a validation registry needs of ERC-8004's identity registry: agents as tokens, numbered from 1.
contract Agents is ERC721("Agents", "AGENT") {
    uint256 private _last;

    function register() external returns (uint256 agentId) {
        agentId = ++_last;
        _mint(msg.sender, agentId);
    }
}
