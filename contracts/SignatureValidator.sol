// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ISignatureValidator} from "./interfaces/ISignatureValidator.sol";

contract SignatureValidator is ISignatureValidator {
    /// @dev The last 32 bytes of a signature in the form of ERC-6492.
    bytes32 private constant MAGIC = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @inheritdoc ISignatureValidator
    function isValid(address signer, bytes32 hash, bytes calldata signature) external returns (bool) {
        bytes memory inner = signature;
        if (signature.length >= 32 && bytes32(signature[signature.length - 32:]) == MAGIC) {
            address factory;
            bytes memory data;
            (factory, data, inner) = abi.decode(signature[:signature.length - 32], (address, bytes, bytes));
            // That it fails is for the check below to find out: the account may be there already, or need an upgrade.
            // solhint-disable-next-line avoid-low-level-calls
            if (signer.code.length == 0) factory.call(data);
        }
        return SignatureChecker.isValidSignatureNow(signer, hash, inner);
    }
}
