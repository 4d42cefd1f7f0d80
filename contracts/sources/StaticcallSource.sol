// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {ModelId} from "../types/Model.sol";
import {InputSource} from "./InputSource.sol";

/// @title Reads a model's input from what any contracts return
/// @notice Each target is called with exactly the gas that the query says: what it returns depends on the block alone, not
/// on the gas of whoever sends the request. Whatever a target does, nothing changes, and no more of what it returns is
/// copied than the words that are asked for.
contract StaticcallSource is InputSource {
    struct Call {
        address target;
        bytes data;
        uint32 gas;
        Field[] fields;
    }

    /// @notice A word of what the call returns, from 0: a uint256, or an int256 if `signed`; with `decimals` digits behind
    /// the point.
    struct Field {
        uint16 word;
        bool signed;
        uint8 decimals;
    }

    error CallsTooMany(uint256 calls);
    error NumbersTooMany(uint256 numbers);
    /// @param call Its position in the query, from 0.
    error GasTooLow(uint256 call, uint256 gas, uint256 needed);
    error CallReverted(uint256 call, address target);
    error ReturnTooShort(uint256 call, uint256 length, uint256 needed);

    uint256 public constant MAX_CALLS = 64;
    uint256 public constant MAX_NUMBERS = 1_024;
    /// @dev What making one call costs beside the gas that it is given: an account that was not touched, and its data.
    uint256 private constant CALL_OVERHEAD = 10_000;

    // solhint-disable-next-line no-empty-blocks
    constructor(IModelRegistry registry_) InputSource(registry_) {}

    /// @param query abi.encode(ModelId model, bool clamp, Call[] calls): the fields, in order, are the elements of the model's
    /// inputs. A call to an address without code returns nothing, and so has no words.
    function read(bytes calldata query) external view returns (bytes memory) {
        (ModelId model, bool clamp, Call[] memory calls) = abi.decode(query, (ModelId, bool, Call[]));
        require(calls.length <= MAX_CALLS, CallsTooMany(calls.length));
        uint256 count = 0;
        for (uint256 i = 0; i < calls.length; ++i) count += calls[i].fields.length;
        require(count <= MAX_NUMBERS, NumbersTooMany(count));

        Number[] memory numbers = new Number[](count);
        uint256 element = 0;
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256[] memory words = _callForWords(i, calls[i]);
            for (uint256 k = 0; k < words.length; ++k) {
                Field memory field = calls[i].fields[k];
                numbers[element++] = _decimal(words[k], field.signed, field.decimals);
            }
        }
        return _spell(model, numbers, clamp);
    }

    /// @dev The words that the call's fields name.
    function _callForWords(uint256 i, Call memory call) private view returns (uint256[] memory words) {
        (address target, bytes memory data, uint256 gas_) = (call.target, call.data, call.gas);
        // EIP-150 keeps back a 64th of what is left.
        uint256 needed = (gas_ * 64) / 63 + CALL_OVERHEAD;
        require(gasleft() >= needed, GasTooLow(i, gasleft(), needed));
        bool success;
        // Memory: reads data, as Solidity laid it out (length, then bytes). Writes nothing: the return data stays where it is.
        assembly ("memory-safe") {
            success := staticcall(gas_, target, add(data, 0x20), mload(data), 0x00, 0x00)
        }
        require(success, CallReverted(i, target));
        uint256 length;
        assembly ("memory-safe") {
            length := returndatasize()
        }
        words = new uint256[](call.fields.length);
        for (uint256 k = 0; k < words.length; ++k) {
            uint256 start = 32 * uint256(call.fields[k].word);
            require(length >= start + 32, ReturnTooShort(i, length, start + 32));
            uint256 word;
            // Memory: writes the word to the scratch word 0x00.
            assembly ("memory-safe") {
                returndatacopy(0x00, start, 0x20)
                word := mload(0x00)
            }
            words[k] = word;
        }
    }
}
