// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInputSource} from "../../../contracts/interfaces/IInputSource.sol";

/// @notice A source that says what it is told, whatever it is asked.
contract FixedSource is IInputSource {
    bytes private _input;

    function set(bytes calldata input) external {
        _input = input;
    }

    function read(bytes calldata) external view returns (bytes memory) {
        return _input;
    }
}
