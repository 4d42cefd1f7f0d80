// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice An account whose owner's ECDSA signature is its own (ERC-1271). Its owner can have it make calls, and can lock it.
contract Wallet is IERC1271 {
    enum Manner {
        Check,
        AcceptAll,
        Revert,
        ReturnNothing,
        ReturnTrue,
        // A megabyte of zeros, or of anything else that is not the answer.
        ReturnBomb,
        RevertBomb,
        BurnGas
    }

    address public immutable owner;
    Manner public manner;

    error CallerIsNotOwner();
    error CallFailed(bytes reason);
    error NotToday();

    constructor(address owner_) {
        owner = owner_;
    }

    receive() external payable {}

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function execute(address to, uint256 value, bytes calldata data) external payable returns (bytes memory result) {
        require(msg.sender == owner, CallerIsNotOwner());
        bool success;
        (success, result) = to.call{value: value}(data);
        require(success, CallFailed(result));
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        Manner m = manner;
        if (m == Manner.AcceptAll) return IERC1271.isValidSignature.selector;
        if (m == Manner.Revert) revert NotToday();
        if (m == Manner.BurnGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (m == Manner.ReturnNothing) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        if (m == Manner.ReturnTrue) {
            assembly ("memory-safe") {
                mstore(0x00, 1)
                return(0x00, 0x20)
            }
        }
        if (m == Manner.ReturnBomb || m == Manner.RevertBomb) {
            assembly ("memory-safe") {
                mstore(0x00, 0)
                if eq(m, 5) {
                    return(0, 0x100000)
                }
                revert(0, 0x100000)
            }
        }
        (address recovered, ECDSA.RecoverError err, ) = ECDSA.tryRecover(hash, signature);
        bool valid = err == ECDSA.RecoverError.NoError && recovered == owner;
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice Makes wallets at addresses that are known before (ERC-6492).
contract WalletFactory {
    function addressOf(address owner, bytes32 salt) public view returns (address) {
        bytes32 codeHash = keccak256(abi.encodePacked(type(Wallet).creationCode, abi.encode(owner)));
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, codeHash));
        return address(uint160(uint256(hash)));
    }

    /// @notice Returns the wallet, which may be there already.
    function make(address owner, bytes32 salt) external returns (address wallet) {
        wallet = addressOf(owner, salt);
        if (wallet.code.length == 0) new Wallet{salt: salt}(owner);
    }

    /// @notice Makes the wallet, then makes a call.
    function makeAndCall(
        address owner,
        bytes32 salt,
        address to,
        bytes calldata data
    ) external returns (address wallet, bool success) {
        wallet = address(new Wallet{salt: salt}(owner));
        (success, ) = to.call(data);
    }
}
