// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ILedger} from "./interfaces/ILedger.sol";

abstract contract Ledger is ILedger, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    mapping(address account => mapping(address token => uint256)) private _balances;
    mapping(address account => mapping(address consumer => mapping(address token => uint256))) private _allowances;

    /// @inheritdoc ILedger
    function deposit(address token, address account, uint256 amount) external payable nonReentrant {
        require(account != address(0), ReceiverMissing());
        _take(token, amount);
        _credit(account, token, amount);
        emit Deposited(account, token, amount);
    }

    /// @inheritdoc ILedger
    function withdraw(address token, address to, uint256 amount) external nonReentrant {
        uint256 balance = _balances[msg.sender][token];
        if (amount == type(uint256).max) amount = balance;
        require(amount > 0, NothingToWithdraw(msg.sender, token));
        require(to != address(0), ReceiverMissing());
        _debit(msg.sender, token, amount);
        if (token == address(0)) {
            (bool paid, ) = to.call{value: amount}("");
            require(paid, PaymentFailed(to, amount));
        } else {
            IERC20(token).safeTransfer(to, amount);
        }
        emit Withdrawn(msg.sender, token, to, amount);
    }

    /// @inheritdoc ILedger
    function authorise(address consumer, address token, uint256 amount) external {
        _allowances[msg.sender][consumer][token] = amount;
        emit ConsumerAuthorised(msg.sender, consumer, token, amount);
    }

    /// @inheritdoc ILedger
    function balanceOf(address account, address token) external view returns (uint256) {
        return _balances[account][token];
    }

    /// @inheritdoc ILedger
    function allowance(address account, address consumer, address token) external view returns (uint256) {
        return _allowances[account][consumer][token];
    }

    function _credit(address account, address token, uint256 amount) internal {
        if (amount > 0) _balances[account][token] += amount;
    }

    function _debit(address account, address token, uint256 amount) internal {
        uint256 balance = _balances[account][token];
        require(balance >= amount, BalanceTooLow(account, token, balance, amount));
        if (amount > 0) _balances[account][token] = balance - amount;
    }

    /// @dev Uses up what `account` authorised `consumer` to spend, unless they are the same or there is no limit.
    function _spendAllowance(address account, address consumer, address token, uint256 amount) internal {
        if (account == consumer || amount == 0) return;
        uint256 left = _allowances[account][consumer][token];
        if (left == type(uint256).max) return;
        require(left >= amount, AllowanceTooLow(account, consumer, token, left, amount));
        _allowances[account][consumer][token] = left - amount;
    }

    /// @dev Takes `amount` from the caller: msg.value, or a transfer of exactly so much.
    function _take(address token, uint256 amount) internal {
        // A token that lies about what it moved must not bring an account near where sums overflow.
        require(amount <= type(uint128).max, AmountTooLarge(amount));
        if (token == address(0)) {
            require(msg.value == amount, ValueMismatch(msg.value, amount));
            return;
        }
        require(msg.value == 0, ValueMismatch(msg.value, 0));
        require(token.code.length > 0, TokenHasNoCode(token));
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 held = IERC20(token).balanceOf(address(this));
        uint256 received = held > before ? held - before : 0;
        require(received == amount, TokenTakesFee(token, amount, received));
    }
}
