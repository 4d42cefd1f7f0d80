// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IPermit2} from "../../../contracts/interfaces/IPermit2.sol";

/// @notice The one function of Uniswap's Permit2 that is used here, written from its documentation: same EIP-712 domain and
/// types, unordered nonces, deadline, the caller as spender, same errors. Not its code: tests put this one's code at its address.
contract Permit2 is IPermit2 {
    using SafeERC20 for IERC20;

    error SignatureExpired(uint256 signatureDeadline);
    error InvalidNonce();
    error InvalidAmount(uint256 maxAmount);
    error InvalidSigner();
    error InvalidContractSignature();

    bytes32 private constant DOMAIN = keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)");
    bytes32 private constant TOKEN_PERMISSIONS = keccak256("TokenPermissions(address token,uint256 amount)");
    bytes32 private constant PERMIT_TRANSFER_FROM = keccak256(
        "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)"
    );

    /// @notice Bits of used nonces, by their upper 248 bits.
    mapping(address => mapping(uint256 => uint256)) public nonceBitmap;

    function permitTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata details,
        address owner,
        bytes calldata signature
    ) external {
        require(block.timestamp <= permit.deadline, SignatureExpired(permit.deadline));
        require(details.requestedAmount <= permit.permitted.amount, InvalidAmount(permit.permitted.amount));
        uint256 bit = 1 << (permit.nonce & 255);
        require(nonceBitmap[owner][permit.nonce >> 8] & bit == 0, InvalidNonce());
        nonceBitmap[owner][permit.nonce >> 8] |= bit;

        bytes32 permitted = keccak256(abi.encode(TOKEN_PERMISSIONS, permit.permitted));
        bytes32 text = keccak256(
            abi.encode(PERMIT_TRANSFER_FROM, permitted, msg.sender, permit.nonce, permit.deadline)
        );
        bytes32 domain = keccak256(abi.encode(DOMAIN, keccak256("Permit2"), block.chainid, address(this)));
        _check(owner, keccak256(abi.encodePacked(hex"1901", domain, text)), signature);
        IERC20(permit.permitted.token).safeTransferFrom(owner, details.to, details.requestedAmount);
    }

    function _check(address owner, bytes32 hash, bytes calldata signature) private view {
        if (owner.code.length == 0) {
            (address recovered, ECDSA.RecoverError err, ) = ECDSA.tryRecover(hash, signature);
            require(err == ECDSA.RecoverError.NoError && recovered == owner, InvalidSigner());
        } else {
            bytes4 answer = IERC1271(owner).isValidSignature(hash, signature);
            require(answer == IERC1271.isValidSignature.selector, InvalidContractSignature());
        }
    }
}
