// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInferenceCoordinator} from "../../../contracts/interfaces/IInferenceCoordinator.sol";
import {Payment, Request, RequestId} from "../../../contracts/types/Request.sol";

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

    function request(Request calldata r, bytes calldata input) external payable returns (RequestId) {
        return coordinator.request{value: msg.value}(r, input, Payment.Direct);
    }

    function withdraw(address payable to) external {
        coordinator.withdraw(address(0), to, type(uint256).max);
    }

    receive() external payable {
        if (manner == Manner.Reject) revert("not today");
        if (manner == Manner.WithdrawAgain) coordinator.withdraw(address(0), address(this), type(uint256).max);
        if (manner == Manner.WithdrawAgainQuietly) {
            ++attempts;
            try coordinator.withdraw(address(0), address(this), type(uint256).max) {
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
