// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Accounts in any token
/// @notice Fees, collateral, royalties and refunds are credited here and withdrawn by whoever they belong to; deposits pay
/// for requests and claims. The native coin is the token at address zero. Tokens that take a fee of transfers are refused;
/// tokens whose balances change by themselves must not be used: what they take is lost to whoever withdraws last.
interface ILedger {
    event Deposited(address indexed account, address indexed token, uint256 amount);
    event Withdrawn(address indexed account, address indexed token, address indexed to, uint256 amount);
    event ConsumerAuthorised(address indexed account, address indexed consumer, address indexed token, uint256 amount);

    error ValueMismatch(uint256 value, uint256 expected);
    error TokenHasNoCode(address token);
    error AmountTooLarge(uint256 amount);
    error TokenTakesFee(address token, uint256 amount, uint256 received);
    error BalanceTooLow(address account, address token, uint256 balance, uint256 amount);
    error AllowanceTooLow(address account, address consumer, address token, uint256 allowance, uint256 amount);
    error NothingToWithdraw(address account, address token);
    error ReceiverMissing();
    error PaymentFailed(address to, uint256 amount);

    /// @notice Takes `amount` of `token` from the caller into `account`. For the native coin msg.value is the amount.
    function deposit(address token, address account, uint256 amount) external payable;

    /// @notice Pays `amount` of the caller's balance to `to`; all of it for type(uint256).max.
    function withdraw(address token, address to, uint256 amount) external;

    /// @notice Lets `consumer` make requests that the caller's account pays, up to `amount` in all; type(uint256).max for
    /// without limit. Replaces what was authorised before.
    function authorise(address consumer, address token, uint256 amount) external;

    /// @notice What `account` can withdraw or spend.
    function balanceOf(address account, address token) external view returns (uint256);

    /// @notice What `consumer` may still spend from `account`.
    function allowance(address account, address consumer, address token) external view returns (uint256);
}
