// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInferenceCoordinator} from "../../../contracts/interfaces/IInferenceCoordinator.sol";
import {ModelId} from "../../../contracts/types/Model.sol";
import {RequestId, Terms} from "../../../contracts/types/Request.sol";

/// @notice A requester and receiver that misbehaves as told when it is paid.
contract Receiver {
    enum Manner {
        Accept,
        Reject,
        WithdrawAgain,
        WithdrawAgainQuietly,
        BurnGas
    }

    Manner public manner;
    uint256 public attempts;
    IInferenceCoordinator public immutable coordinator;

    constructor(IInferenceCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function request(ModelId model, bytes calldata input, uint64 deadline) external payable returns (RequestId) {
        return coordinator.request{value: msg.value}(model, input, deadline, Terms(1, false));
    }

    function withdraw(address payable to) external {
        coordinator.withdraw(to);
    }

    receive() external payable {
        if (manner == Manner.Reject) revert("not today");
        if (manner == Manner.WithdrawAgain) coordinator.withdraw(payable(address(this)));
        if (manner == Manner.WithdrawAgainQuietly) {
            ++attempts;
            try coordinator.withdraw(payable(address(this))) {
                attempts += 1000;
            } catch {}
        }
        if (manner == Manner.BurnGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
    }
}
