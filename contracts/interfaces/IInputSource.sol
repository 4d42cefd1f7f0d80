// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title A contract that inputs of models are read from, while a request is made
/// @notice The coordinator calls it without the right to change anything, in the transaction of the request. What it
/// returns is the request's input, so a result says: the model mapped what this contract said at this block to this output.
/// Who relies on that must know the source's code, as with any oracle.
interface IInputSource {
    /// @param query what the requester asks the source for, in the source's own form
    /// @return input the bytes of the model's input, in the wire format; of the length that the model takes
    function read(bytes calldata query) external view returns (bytes memory input);
}
