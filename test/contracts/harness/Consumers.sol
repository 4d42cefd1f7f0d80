// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInferenceConsumer} from "../../../contracts/interfaces/IInferenceConsumer.sol";
import {RequestId} from "../../../contracts/types/Request.sol";

/// @notice A consumer that behaves as told when it is called with an answer. What it notes is lost if it reverts.
contract Consumer is IInferenceConsumer {
    enum Manner {
        Accept,
        Revert,
        // Returns, or reverts with, a megabyte of zeros; costs the callee 2.2M gas.
        ReturnBomb,
        RevertBomb,
        BurnGas,
        Invalid,
        // Makes the calls of {prepare} and swallows their failures.
        Reenter,
        // Pays its balance to the caller by force, and goes if it was made in this transaction.
        SelfDestruct
    }

    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    Manner public manner;
    uint256 public calls;
    /// @notice Of the last call; the gas is read first, after the dispatch (a few hundred gas).
    uint256 public gasAtEntry;
    address public caller;
    RequestId public id;
    bytes public output;
    Call[] private _prepared;
    /// @notice What came of the prepared calls in the last {Reenter}: whether they succeeded, and what they returned.
    bool[] public succeeded;
    bytes[] public returned;

    error NotToday(RequestId id);
    error CallFailed(bytes reason);

    receive() external payable {}

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function prepare(Call[] calldata prepared) external {
        manner = Manner.Reenter;
        delete _prepared;
        for (uint256 i = 0; i < prepared.length; ++i) _prepared.push(prepared[i]);
    }

    /// @notice Makes a call in this contract's name now, and bubbles its failure up.
    function execute(Call calldata c) external payable returns (bytes memory result) {
        bool success;
        (success, result) = c.to.call{value: c.value}(c.data);
        require(success, CallFailed(result));
    }

    function onInference(RequestId id_, bytes calldata output_) external override {
        uint256 gas_ = gasleft();
        Manner m = manner;
        if (m == Manner.Revert) revert NotToday(id_);
        if (m == Manner.BurnGas) while (true) {}
        if (m == Manner.Invalid) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (m == Manner.ReturnBomb) {
            assembly ("memory-safe") {
                return(0, 0x100000)
            }
        }
        if (m == Manner.RevertBomb) {
            assembly ("memory-safe") {
                revert(0, 0x100000)
            }
        }
        ++calls;
        gasAtEntry = gas_;
        (caller, id, output) = (msg.sender, id_, output_);
        if (m == Manner.Reenter) _reenter();
        if (m == Manner.SelfDestruct) selfdestruct(payable(msg.sender));
    }

    function _reenter() private {
        delete succeeded;
        delete returned;
        for (uint256 i = 0; i < _prepared.length; ++i) {
            Call memory c = _prepared[i];
            (bool success, bytes memory result) = c.to.call{value: c.value}(c.data);
            succeeded.push(success);
            returned.push(result);
        }
    }
}
