// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {ILedger} from "./interfaces/ILedger.sol";
import {IPermit2} from "./interfaces/IPermit2.sol";
import {Request, RequestId} from "./types/Request.sol";

/// @title Sends a signed request with a signed payment, in one transaction
/// @notice Without rights and without state: it moves what a signature lets it move into the payer's account at the
/// coordinator, and hands the signed request on. If that is refused, nothing was moved.
contract RequestRelay {
    using SafeERC20 for IERC20;

    error PayerIsNotRequester(address payer, address requester);
    error Permit2Missing();

    /// @notice Where Uniswap's Permit2 is on every chain that has it.
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    IInferenceCoordinator public immutable coordinator;

    constructor(IInferenceCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    /// @notice Pays maxFee by the requester's ERC-2612 permit for this contract, then makes the request.
    /// The permit may be used up already, since anybody who sees it can send it to the token: the allowance is there then.
    /// The consent to pay is the signature of the request, which names payer, token and amount and serves once. So only the
    /// requester itself can be the payer, and nobody should approve this contract for anything else.
    function requestWithPermit(
        Request calldata r,
        bytes calldata input,
        bytes calldata signature,
        uint256 permitDeadline,
        uint8 v,
        bytes32 s1,
        bytes32 s2
    ) external returns (RequestId) {
        require(r.payer == r.requester, PayerIsNotRequester(r.payer, r.requester));
        require(r.token.code.length > 0, ILedger.TokenHasNoCode(r.token));
        // Without an allowance the transfer fails, whatever the token makes of this call.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(r.token).permit(r.payer, address(this), r.maxFee, permitDeadline, v, s1, s2) {} catch {}
        IERC20(r.token).safeTransferFrom(r.payer, address(this), r.maxFee);
        return _forward(r, input, signature);
    }

    /// @notice As {requestWithPermit}, by the payer's signature for Permit2 (SignatureTransfer, this contract as spender).
    /// The payer may be another than the requester, whom it authorised at the coordinator.
    function requestWithPermit2(
        Request calldata r,
        bytes calldata input,
        bytes calldata signature,
        uint256 permitNonce,
        uint256 permitDeadline,
        bytes calldata permitSignature
    ) external returns (RequestId) {
        require(address(PERMIT2).code.length > 0, Permit2Missing());
        PERMIT2.permitTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(r.token, r.maxFee), permitNonce, permitDeadline),
            IPermit2.SignatureTransferDetails(address(this), r.maxFee),
            r.payer,
            permitSignature
        );
        return _forward(r, input, signature);
    }

    function _forward(Request calldata r, bytes calldata input, bytes calldata signature) private returns (RequestId) {
        IERC20(r.token).forceApprove(address(coordinator), r.maxFee);
        coordinator.deposit(r.token, r.payer, r.maxFee);
        return coordinator.requestFor(r, input, signature);
    }
}
