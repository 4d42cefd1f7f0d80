// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @notice As the standards have it, with ERC-2612.
contract PlainToken is ERC20, ERC20Permit {
    constructor() ERC20("Plain", "PLN") ERC20Permit("Plain") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice An ERC-20 that misbehaves as told.
contract OddToken is ERC20 {
    enum Manner {
        Plain,
        // A hundredth, rounded up, of each transfer is burnt.
        TakesFee,
        // The receiver gets a unit more than was sent.
        GivesMore,
        // Moves nothing and returns false.
        ReturnsFalse,
        // Moves nothing and returns true.
        PretendsTrue,
        // Moves nothing and reverts.
        Reverts,
        // Shows, after a transfer, a receiver that has nothing.
        HidesReceiver,
        // Once: calls `hook` before it moves anything (as ERC-777 calls senders), or after (as it calls receivers).
        CallsBefore,
        CallsAfter
    }

    Manner public manner;
    address public frozen;
    address private _hidden;
    address private _hook;
    bytes private _hookData;
    /// @notice What came of the call of the hook.
    bool public hookSucceeded;
    bytes public hookReturned;

    error AccountFrozen(address account);
    error NotToday();

    constructor() ERC20("Odd", "ODD") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function burn(address from, uint256 amount) external {
        _burn(from, amount);
    }

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function freeze(address account) external {
        frozen = account;
    }

    function prepare(Manner manner_, address hook, bytes calldata data) external {
        (manner, _hook, _hookData) = (manner_, hook, data);
    }

    function balanceOf(address account) public view override returns (uint256) {
        return account == _hidden ? 0 : super.balanceOf(account);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (manner != Manner.PretendsTrue) _spendAllowance(from, msg.sender, amount);
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        require(from != frozen, AccountFrozen(from));
        require(to != frozen, AccountFrozen(to));
        require(manner != Manner.Reverts, NotToday());
        if (manner == Manner.ReturnsFalse) return false;
        if (manner == Manner.PretendsTrue) return true;
        if (manner == Manner.CallsBefore) _call();
        _transfer(from, to, amount);
        if (manner == Manner.TakesFee) _burn(to, (amount + 99) / 100);
        if (manner == Manner.GivesMore) _mint(to, 1);
        if (manner == Manner.HidesReceiver) _hidden = to;
        if (manner == Manner.CallsAfter) _call();
        return true;
    }

    function _call() private {
        manner = Manner.Plain;
        (hookSucceeded, hookReturned) = _hook.call(_hookData);
    }
}

/// @notice As USDT: transfers return nothing, and an allowance must be zero before it is set.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    error AllowanceNotZero();

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        require(amount == 0 || allowance[msg.sender][spender] == 0, AllowanceNotZero());
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice As WETH: answers every call that it does not know, permit too, and does nothing.
contract PhantomToken is ERC20 {
    constructor() ERC20("Phantom", "PHM") {}

    fallback() external payable {}

    receive() external payable {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
