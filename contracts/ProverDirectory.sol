// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IProverDirectory} from "./interfaces/IProverDirectory.sol";

contract ProverDirectory is IProverDirectory, ERC165 {
    uint256 public constant MAX_ENDPOINT_LENGTH = 256;

    mapping(address prover => Entry[]) private _entries;

    /// @inheritdoc IProverDirectory
    function publish(bytes32 encryptionKey, string calldata endpoint) external returns (uint256 position) {
        uint256 length = bytes(endpoint).length;
        require(length <= MAX_ENDPOINT_LENGTH, EndpointTooLong(length));
        require(encryptionKey != 0 || length == 0, EndpointWithoutKey(endpoint));
        position = _entries[msg.sender].length;
        _entries[msg.sender].push(Entry(encryptionKey, uint64(block.timestamp), endpoint));
        emit Published(msg.sender, position, encryptionKey, endpoint);
    }

    /// @inheritdoc IProverDirectory
    function entryOf(address prover) external view returns (Entry memory entry) {
        uint256 count = _entries[prover].length;
        if (count > 0 && _entries[prover][count - 1].encryptionKey != 0) entry = _entries[prover][count - 1];
    }

    /// @inheritdoc IProverDirectory
    function entryAt(address prover, uint256 position) external view returns (Entry memory) {
        require(position < _entries[prover].length, NothingAt(prover, position));
        return _entries[prover][position];
    }

    /// @inheritdoc IProverDirectory
    function entryCount(address prover) external view returns (uint256) {
        return _entries[prover].length;
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IProverDirectory).interfaceId || super.supportsInterface(id);
    }
}
