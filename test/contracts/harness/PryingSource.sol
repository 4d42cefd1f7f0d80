// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice A source of inputs that, when it is read, makes the call that the query is, abi.encode(to, data), and answers with
/// what came of it: 64 bytes, whether it succeeded and the first word that it returned.
contract PryingSource {
    function read(bytes calldata query) external returns (bytes memory) {
        (address to, bytes memory data) = abi.decode(query, (address, bytes));
        (bool success, bytes memory returned) = to.call(data);
        return abi.encode(success, bytes32(returned));
    }
}
