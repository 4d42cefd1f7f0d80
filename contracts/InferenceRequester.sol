// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {Evidence} from "./libraries/Evidence.sol";
import {InputKind, ModelId} from "./types/Model.sol";
import {Payment, Request, RequestId} from "./types/Request.sol";

/// @title Base of contracts that ask models and read the answers when they need them
/// @notice For being called with the answers there is {InferenceConsumer}.
abstract contract InferenceRequester {
    using SafeERC20 for IERC20;

    IInferenceCoordinator public immutable coordinator;

    uint64 private _nonce;

    constructor(IInferenceCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    /// @dev A request to be changed where it should be another, then made with {_ask}: a flat fee of the native coin, to be
    /// answered by anybody within `period` seconds, proven, under a key of a ceremony. A claim may last a quarter of the
    /// period, for collateral of the fee's size. This contract is requester and payer: what is left of the fee, and all of
    /// it if nobody answers, goes to its account at the coordinator, see {_withdraw}.
    function _draft(ModelId model, uint256 fee, uint256 period) internal view virtual returns (Request memory r) {
        r.requester = address(this);
        r.payer = address(this);
        r.model = model;
        (r.minFee, r.maxFee, r.minCollateral) = (SafeCast.toUint96(fee), uint96(fee), uint96(fee));
        (r.start, r.rampEnd, r.submitBy) = (uint32(block.timestamp), uint32(block.timestamp), uint32(block.timestamp));
        r.deadline = SafeCast.toUint32(block.timestamp + period);
        r.claimPeriod = uint32(period / 4);
        r.requiredEvidence = Evidence.ZK;
    }

    /// @dev Makes the drafted request. Direct: this contract pays maxFee now, in the native coin or in a token that it holds.
    /// Account: maxFee comes from the account of r.payer at the coordinator: this contract, or somebody who authorised it
    /// there. Whoever lets a caller choose the payer lets callers spend for others.
    /// @param input The input (Data) or what stands for it, see {IInferenceCoordinator-request}. Its hash is filled in where
    /// the kind has it in inputHash or originHash.
    function _ask(Request memory r, bytes memory input, Payment payment) internal virtual returns (RequestId) {
        r.nonce = ++_nonce;
        if (r.inputKind == InputKind.Data) r.inputHash = keccak256(input);
        else r.originHash = keccak256(input);
        bool direct = payment == Payment.Direct;
        bool native = r.token == address(0);
        if (direct && !native) IERC20(r.token).forceApprove(address(coordinator), r.maxFee);
        return coordinator.request{value: direct && native ? r.maxFee : 0}(r, input, payment);
    }

    /// @dev Changes the draft so that the coordinator reads its input from `source`; what this returns is {_ask}'s input.
    function _readFrom(Request memory r, address source, bytes memory query) internal pure returns (bytes memory) {
        r.inputKind = InputKind.Source;
        r.requiredEvidence |= Evidence.CHAIN_INPUT;
        return abi.encode(source, query);
    }

    /// @dev Pays refunds, and whatever else is in this contract's account, to `to`.
    function _withdraw(address token, address to) internal {
        coordinator.withdraw(token, to, type(uint256).max);
    }
}
