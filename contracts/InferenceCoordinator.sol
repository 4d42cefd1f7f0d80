// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {ClaimLib} from "./libraries/ClaimLib.sol";
import {Evidence} from "./libraries/Evidence.sol";
import {Groth16} from "./libraries/Groth16.sol";
import {KeyKind, ModelHead, ModelId} from "./types/Model.sol";
import {Account, Request, RequestId, RequestRecord, RequestStatus, Result, Terms} from "./types/Request.sol";

contract InferenceCoordinator is IInferenceCoordinator {
    bytes32 private constant DOMAIN_REQUEST = keccak256("glassbox.request.v1");

    /// @notice The evidence that this contract can provide, by its one path.
    uint32 public constant AVAILABLE_EVIDENCE = Evidence.ZK;
    /// @notice How far ahead a deadline may be. RequestRecord.spared relies on its being below 2^24 seconds.
    uint256 public constant MAX_WINDOW = 180 days;

    /// @inheritdoc IInferenceCoordinator
    IModelRegistry public immutable registry;

    mapping(RequestId => RequestRecord) private _requests;
    mapping(address => Account) private _accounts;
    /// @dev Declarations by position; the first is at 1, position 0 stands for none.
    mapping(address => mapping(uint256 => bytes32)) private _environments;

    constructor(IModelRegistry registry_) {
        require(address(registry_).code.length > 0, RegistryHasNoCode(address(registry_)));
        registry = registry_;
    }

    /// @inheritdoc IInferenceCoordinator
    function request(
        ModelId model,
        bytes calldata input,
        uint64 deadline,
        Terms calldata terms
    ) external payable returns (RequestId id) {
        uint32 required = terms.requiredEvidence;
        require(deadline > block.timestamp, DeadlinePassed(deadline, block.timestamp));
        require(deadline <= block.timestamp + MAX_WINDOW, DeadlineTooFar(deadline, block.timestamp + MAX_WINDOW));
        require(msg.value <= type(uint96).max, FeeTooLarge(msg.value));
        require(required & ~AVAILABLE_EVIDENCE == 0, EvidenceUnavailable(required, AVAILABLE_EVIDENCE));
        ModelHead memory head = registry.headOf(model);
        require(!head.retired, ModelIsRetired(model));
        require(head.keyKind != KeyKind.Development || terms.allowDevelopmentKeys, DevelopmentKeyNotAllowed(model));
        require(input.length == head.inputLength, InputLengthMismatch(input.length, head.inputLength));

        bytes32 inputHash = keccak256(input);
        uint256 nonce = _accounts[msg.sender].nonce++;
        id = RequestId.wrap(
            keccak256(abi.encode(DOMAIN_REQUEST, block.chainid, address(this), msg.sender, nonce, model, inputHash))
        );

        RequestRecord storage record = _requests[id];
        record.requester = msg.sender;
        record.fee = uint96(msg.value);
        record.model = model;
        record.inputHash = inputHash;
        record.deadline = uint40(deadline);
        record.demands = uint8(required | (terms.allowDevelopmentKeys ? Evidence.DEVELOPMENT_KEY : 0));
        emit Requested(id, model, msg.sender, uint96(msg.value), deadline, required, terms.allowDevelopmentKeys, input);
    }

    /// @inheritdoc IInferenceCoordinator
    function fulfil(
        RequestId id,
        bytes calldata input,
        bytes calldata output,
        uint256 c,
        uint256[8] calldata proof,
        address prover
    ) external {
        RequestRecord storage record = _unfulfilled(id);
        uint256 deadline = record.deadline;
        require(block.timestamp <= deadline, DeadlinePassed(deadline, block.timestamp));
        require(prover != address(0), ProverMissing());
        bytes32 inputHash = keccak256(input);
        require(inputHash == record.inputHash, InputMismatch(inputHash, record.inputHash));
        ModelId model = record.model;
        ModelHead memory head = registry.headOf(model);
        require(output.length == head.outputLength, OutputLengthMismatch(output.length, head.outputLength));

        uint256[3] memory signals = ClaimLib.signals(
            ClaimLib.DOMAIN_CLAIM,
            address(this),
            RequestId.unwrap(id),
            ModelId.unwrap(model),
            prover,
            c,
            input,
            inputHash,
            output
        );
        Groth16.verify(head.key, proof, signals);

        uint32 evidence = Evidence.ZK;
        if (head.keyKind == KeyKind.Development) evidence |= Evidence.DEVELOPMENT_KEY;
        Account storage account = _accounts[prover];
        uint16 environment = account.environments;
        account.credit += record.fee;
        record.prover = prover;
        record.spared = uint24(deadline - block.timestamp);
        record.evidence = uint8(evidence);
        record.environment = environment;
        record.output = output;
        emit Fulfilled(id, model, prover, evidence, _environments[prover][environment], c, output, proof);
    }

    /// @inheritdoc IInferenceCoordinator
    function refund(RequestId id) external {
        RequestRecord storage record = _unfulfilled(id);
        require(block.timestamp > record.deadline, DeadlineNotPassed(record.deadline, block.timestamp));
        (address requester, uint96 fee) = (record.requester, record.fee);
        require(fee > 0, NothingToRefund(id));

        record.fee = 0;
        _accounts[requester].credit += fee;
        emit Refunded(id, requester, fee);
    }

    /// @inheritdoc IInferenceCoordinator
    function withdraw(address payable to) external {
        uint256 amount = _accounts[msg.sender].credit;
        require(amount > 0, NothingToWithdraw(msg.sender));
        require(to != address(0), ReceiverMissing());

        _accounts[msg.sender].credit = 0;
        (bool paid, ) = to.call{value: amount}("");
        require(paid, PaymentFailed(to, amount));
        emit Withdrawn(msg.sender, to, amount);
    }

    /// @inheritdoc IInferenceCoordinator
    function declareEnvironment(bytes32 environment) external {
        Account storage account = _accounts[msg.sender];
        require(account.environments < type(uint16).max, EnvironmentsExhausted(msg.sender));
        _environments[msg.sender][++account.environments] = environment;
        emit EnvironmentDeclared(msg.sender, environment);
    }

    /// @inheritdoc IInferenceCoordinator
    function result(RequestId id) external view returns (Result memory) {
        RequestRecord storage record = _requests[id];
        require(record.prover != address(0), RequestNotFulfilled(id));
        return
            Result({
                output: record.output,
                model: record.model,
                prover: record.prover,
                evidence: record.evidence,
                fulfilledAt: record.deadline - record.spared,
                environment: _environments[record.prover][record.environment]
            });
    }

    /// @inheritdoc IInferenceCoordinator
    function requestOf(RequestId id) external view returns (Request memory) {
        RequestRecord storage record = _known(id);
        return
            Request({
                requester: record.requester,
                fee: record.fee,
                model: record.model,
                inputHash: record.inputHash,
                deadline: record.deadline,
                requiredEvidence: record.demands & ~Evidence.DEVELOPMENT_KEY,
                allowDevelopmentKeys: record.demands & Evidence.DEVELOPMENT_KEY != 0,
                status: _statusOf(record)
            });
    }

    /// @inheritdoc IInferenceCoordinator
    function credit(address account) external view returns (uint256) {
        return _accounts[account].credit;
    }

    /// @inheritdoc IInferenceCoordinator
    function nonceOf(address account) external view returns (uint256) {
        return _accounts[account].nonce;
    }

    /// @inheritdoc IInferenceCoordinator
    function environmentOf(address prover) external view returns (bytes32) {
        return _environments[prover][_accounts[prover].environments];
    }

    function _known(RequestId id) private view returns (RequestRecord storage record) {
        record = _requests[id];
        require(record.deadline != 0, RequestUnknown(id));
    }

    function _unfulfilled(RequestId id) private view returns (RequestRecord storage record) {
        record = _known(id);
        require(record.prover == address(0), RequestAlreadyFulfilled(id));
    }

    function _statusOf(RequestRecord storage record) private view returns (RequestStatus) {
        if (record.prover != address(0)) return RequestStatus.Fulfilled;
        return block.timestamp <= record.deadline ? RequestStatus.Open : RequestStatus.Expired;
    }
}
