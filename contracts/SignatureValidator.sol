// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {ISignatureValidator} from "./interfaces/ISignatureValidator.sol";

contract SignatureValidator is ISignatureValidator, ERC165 {
    /// @dev The last 32 bytes of a signature in the form of ERC-6492.
    bytes32 private constant MAGIC = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @inheritdoc ISignatureValidator
    function isValid(address signer, bytes32 hash, bytes calldata signature) external returns (bool) {
        uint256 length = signature.length;
        if (length < 32 || bytes32(signature[length - 32:]) != MAGIC) return _isSigned(signer, hash, signature);

        // Decoded in a call, so that what can not be decoded is invalid like any other signature.
        try this.unwrap(signature[:length - 32]) returns (address factory, bytes memory data, bytes memory inner) {
            if (_isSigned(signer, hash, inner)) return true;
            // solhint-disable-next-line avoid-low-level-calls
            (bool called, ) = factory.call(data);
            return called && _isSigned(signer, hash, inner);
        } catch {
            return false;
        }
    }

    /// @notice What a signature in the form of ERC-6492 holds, without its magic end: who makes the account ready to be asked,
    /// called with what, and the account's own signature.
    function unwrap(
        bytes calldata wrapped
    ) external pure returns (address factory, bytes memory data, bytes memory inner) {
        return abi.decode(wrapped, (address, bytes, bytes));
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(ISignatureValidator).interfaceId || super.supportsInterface(id);
    }

    /// @dev By the account's key, if it has one: code that an EIP-7702 delegation puts there does not take the key's power
    /// away, and need not know ERC-1271. A contract has no key.
    function _isSigned(address signer, bytes32 hash, bytes memory signature) private view returns (bool) {
        (address recovered, ECDSA.RecoverError err, ) = ECDSA.tryRecover(hash, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length > 0 && SignatureChecker.isValidERC1271SignatureNow(signer, hash, signature);
    }
}
