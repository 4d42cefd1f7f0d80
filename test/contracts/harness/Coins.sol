// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The books of a token that anybody can mint.
abstract contract Coin {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    error CoinsMissing(address account, uint256 amount);

    function mint(address account, uint256 amount) external {
        balanceOf[account] += amount;
    }

    function _approve(address spender, uint256 amount) internal {
        allowance[msg.sender][spender] = amount;
    }

    function _move(address from, address to, uint256 amount) internal {
        require(balanceOf[from] >= amount, CoinsMissing(from, amount));
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }

    function _moveFor(address from, address to, uint256 amount) internal {
        require(allowance[from][msg.sender] >= amount, CoinsMissing(from, amount));
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }
}

/// @notice As ERC-20 has it.
contract PlainCoin is Coin {
    function approve(address spender, uint256 amount) external returns (bool) {
        _approve(spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        _moveFor(from, to, amount);
        return true;
    }
}

/// @notice Returns nothing, as USDT does.
contract QuietCoin is Coin {
    function approve(address spender, uint256 amount) external {
        _approve(spender, amount);
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        _moveFor(from, to, amount);
    }
}
