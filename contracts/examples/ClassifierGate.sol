// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {Tensor} from "../libraries/Tensor.sol";
import {KeyKind, ModelHead, ModelId} from "../types/Model.sol";
import {Answer} from "../types/Request.sol";

/// @title Example: lets in whom a classifier puts into one class, by data that somebody vouched for
/// @notice An issuer (a laboratory, a bureau) signs what it knows of an account; anybody runs the model on it and brings the
/// answer with its proof, all in one transaction: no request, no fee, no waiting. Newer data replaces older, whether it
/// lets the account in or puts it out, so that a check can be repeated but not undone by showing old data again.
/// If the model takes private inputs, the issuer signs the salted commitment c: the chain then learns the class and nothing
/// of the data.
contract ClassifierGate is EIP712 {
    using Tensor for bytes;

    struct Pass {
        /// When the newest data was signed.
        uint64 issuedAt;
        bool admitted;
    }

    event Checked(address indexed account, uint256 class, bool admitted, uint256 issuedAt);
    event Entered(address indexed account);

    error DevelopmentKeyNotAllowed(ModelId model);
    error ModelIsRetired(ModelId model);
    error SignerIsNotIssuer(address signer);
    error DataFromFuture(uint256 issuedAt, uint256 time);
    error DataTooOld(uint256 issuedAt, uint256 time);
    error DataNotNewer(uint256 issuedAt, uint256 newest);
    error NotAdmitted(address account);

    bytes32 private constant ATTESTATION = keccak256("Attestation(address account,bytes32 data,uint64 issuedAt)");

    IInferenceCoordinator public immutable coordinator;
    ModelId public immutable model;
    address public immutable issuer;
    /// @notice The position of the class, among the model's first output, that lets in.
    uint256 public immutable admittedClass;
    /// @notice Seconds after the data was signed.
    uint64 public immutable validFor;

    mapping(address account => Pass) public passOf;

    constructor(
        IInferenceCoordinator coordinator_,
        ModelId model_,
        address issuer_,
        uint256 admittedClass_,
        uint64 validFor_,
        bool allowDevelopmentKeys
    ) EIP712("ClassifierGate", "1") {
        // {verifyInference} checks the proof under the model's key, and leaves what kind of key will do to its caller.
        bool ceremony = coordinator_.registry().headOf(model_).keyKind != KeyKind.Development;
        require(ceremony || allowDevelopmentKeys, DevelopmentKeyNotAllowed(model_));
        (coordinator, model, issuer) = (coordinator_, model_, issuer_);
        (admittedClass, validFor) = (admittedClass_, validFor_);
    }

    /// @notice Checks `account` by the issuer's newest data about it. Anybody may send it.
    /// @param answer With a proof that was made for this contract: domain "direct", this contract as prover.
    function check(address account, uint64 issuedAt, Answer calldata answer, bytes calldata signature) external {
        Pass memory pass = passOf[account];
        require(issuedAt <= block.timestamp, DataFromFuture(issuedAt, block.timestamp));
        require(block.timestamp <= uint256(issuedAt) + validFor, DataTooOld(issuedAt, block.timestamp));
        require(issuedAt > pass.issuedAt, DataNotNewer(issuedAt, pass.issuedAt));
        bytes32 data = answer.input.length == 0 ? bytes32(answer.c) : keccak256(answer.input);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(ATTESTATION, account, data, issuedAt)));
        address signer = ECDSA.recoverCalldata(digest, signature);
        require(signer == issuer, SignerIsNotIssuer(signer));

        uint256 class = _classOf(answer);
        bool admitted = class == admittedClass;
        passOf[account] = Pass(issuedAt, admitted);
        emit Checked(account, class, admitted, issuedAt);
    }

    /// @notice What only those do who are let in.
    function enter() external {
        require(isAdmitted(msg.sender), NotAdmitted(msg.sender));
        emit Entered(msg.sender);
    }

    function isAdmitted(address account) public view returns (bool) {
        Pass memory pass = passOf[account];
        return pass.admitted && block.timestamp <= uint256(pass.issuedAt) + validFor;
    }

    /// @dev The class with the highest score. Reverts unless it is proven.
    function _classOf(Answer calldata answer) private view returns (uint256) {
        ModelHead memory head = coordinator.registry().headOf(model);
        require(!head.retired, ModelIsRetired(model));
        coordinator.verifyInference(model, answer.input, answer.output, answer.c, answer.proof);
        bytes memory output = answer.output;
        return output.argmax(coordinator.registry().tensorsOf(model).output(0));
    }
}
