// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IInferenceConsumer} from "./interfaces/IInferenceConsumer.sol";
import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {IInputSource} from "./interfaces/IInputSource.sol";
import {ILedger} from "./interfaces/ILedger.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {ISignatureValidator} from "./interfaces/ISignatureValidator.sol";
import {Ledger} from "./Ledger.sol";
import {Bn254} from "./libraries/Bn254.sol";
import {ClaimLib} from "./libraries/ClaimLib.sol";
import {Evidence} from "./libraries/Evidence.sol";
import {Groth16} from "./libraries/Groth16.sol";
import {RequestLib} from "./libraries/RequestLib.sol";
import {InputKind, KeyKind, ModelHead, ModelId} from "./types/Model.sol";
import {Answer, Payment, Request, RequestId, RequestRecord, RequestStatus, Result} from "./types/Request.sol";

contract InferenceCoordinator is IInferenceCoordinator, Ledger, EIP712, ERC165 {
    using RequestLib for Request;

    /// @notice How far ahead a deadline may be.
    uint256 public constant MAX_WINDOW = 180 days;
    uint256 public constant MAX_URI_LENGTH = 2_048;
    /// @notice A fulfilment must fit into a transaction (2^24 gas since EIP-7825) with its callback.
    uint256 public constant MAX_CALLBACK_GAS = 10_000_000;
    uint256 private constant BPS = 10_000;
    /// @dev A status of storage: fulfilled, and the consumer's call failed.
    uint8 private constant UNDELIVERED = 5;

    /// @inheritdoc IInferenceCoordinator
    IModelRegistry public immutable registry;
    ISignatureValidator public immutable signatureValidator;

    mapping(RequestId => RequestRecord) private _requests;
    /// @dev Outputs of more than 32 bytes.
    mapping(RequestId => bytes) private _longOutputs;
    /// @dev Declarations by position; the first is at 1, position 0 stands for none.
    mapping(address prover => mapping(uint256 position => bytes32)) private _environments;
    mapping(address prover => uint16) private _environmentCounts;

    constructor(IModelRegistry registry_, ISignatureValidator validator) EIP712("Glassbox", "1") {
        require(address(registry_).code.length > 0, RegistryHasNoCode(address(registry_)));
        require(address(validator).code.length > 0, ValidatorHasNoCode(address(validator)));
        registry = registry_;
        signatureValidator = validator;
    }

    // ---- asking ----

    /// @inheritdoc IInferenceCoordinator
    function request(
        Request calldata r,
        bytes calldata input,
        Payment payment
    ) external payable nonReentrant returns (RequestId id) {
        require(msg.sender == r.requester, CallerIsNotRequester(msg.sender, r.requester));
        id = _make(r, input);
        if (payment == Payment.Direct) {
            _take(r.token, r.maxFee);
        } else {
            require(msg.value == 0, ValueMismatch(msg.value, 0));
            _spendAllowance(r.payer, r.requester, r.token, r.maxFee);
            _debit(r.payer, r.token, r.maxFee);
        }
    }

    /// @inheritdoc IInferenceCoordinator
    function requestFor(
        Request calldata r,
        bytes calldata input,
        bytes calldata signature
    ) external nonReentrant returns (RequestId id) {
        RequestId signed = idOf(r);
        RequestRecord storage record = _requests[signed];
        require(record.status == uint8(RequestStatus.Unknown), RequestAlreadyMade(signed));
        bool valid = signatureValidator.isValid(r.requester, RequestId.unwrap(signed), signature);
        require(valid, SignatureInvalid(signed, r.requester));
        id = _make(r, input);
        // What a Source reads is not signed and makes another id: the signature is used up under its own.
        if (r.inputKind == InputKind.Source) record.status = uint8(RequestStatus.Expired);
        _spendAllowance(r.payer, r.requester, r.token, r.maxFee);
        _debit(r.payer, r.token, r.maxFee);
    }

    /// @inheritdoc IInferenceCoordinator
    function cancel(Request calldata r) external nonReentrant {
        require(msg.sender == r.requester, CallerIsNotRequester(msg.sender, r.requester));
        RequestId id = idOf(r);
        RequestRecord storage record = _requests[id];
        uint8 status = record.status;
        if (status != uint8(RequestStatus.Unknown)) {
            require(status == uint8(RequestStatus.Open), RequestNotOpen(id, _publicStatus(status)));
            require(block.timestamp < r.start, AlreadyStarted(r.start, block.timestamp));
            _credit(r.payer, r.token, r.maxFee);
            emit Expired(id, r.payer, r.maxFee);
        } else {
            emit Expired(id, r.payer, 0);
        }
        record.status = uint8(RequestStatus.Expired);
    }

    // ---- answering ----

    /// @inheritdoc IInferenceCoordinator
    function claim(Request calldata r) external payable nonReentrant {
        RequestId id = idOf(r);
        RequestRecord storage record = _requests[id];
        uint8 status = record.status;
        require(status == uint8(RequestStatus.Open), RequestNotOpen(id, _publicStatus(status)));
        require(r.claimPeriod > 0, ClaimsNotTaken(id));
        _requireProver(r, msg.sender);
        _requireTime(r);
        uint256 price = r.priceAt(block.timestamp);
        uint256 collateral = r.collateralAt(price, registry.headOf(r.model).collateralBps);

        record.party = msg.sender;
        record.at = uint32(block.timestamp);
        record.status = uint8(RequestStatus.Claimed);
        if (msg.value > 0) {
            // More than the collateral is welcome: nobody knows the price of the second before it is there.
            require(r.token == address(0), ValueMismatch(msg.value, 0));
            _credit(msg.sender, r.token, msg.value);
            emit Deposited(msg.sender, r.token, msg.value);
        }
        _debit(msg.sender, r.token, collateral);
        emit Claimed(id, msg.sender, price, collateral, r.claimEnd(block.timestamp));
    }

    /// @inheritdoc IInferenceCoordinator
    function fulfil(Request calldata r, Answer calldata answer, address prover) external {
        RequestId id = _fulfil(r, answer, prover);
        if (r.consumer != address(0)) {
            // EIP-150 keeps back a 64th of what is left, and the call itself costs something.
            uint256 needed = _callbackGas(r);
            require(gasleft() >= needed, GasTooLow(gasleft(), needed));
            _callBack(id, r, answer.output);
        }
    }

    /// @inheritdoc IInferenceCoordinator
    function fulfilBatch(
        Request[] calldata requests,
        Answer[] calldata answers,
        address prover
    ) external returns (uint256 fulfilled) {
        require(
            requests.length == answers.length && requests.length > 0,
            BatchInvalid(requests.length, answers.length)
        );
        for (uint256 i = 0; i < requests.length; ++i) {
            _fulfil(requests[i], answers[i], prover);
            ++fulfilled;
        }
    }

    /// @inheritdoc IInferenceCoordinator
    function expire(Request calldata r) external nonReentrant {
        RequestId id = idOf(r);
        RequestRecord storage record = _requests[id];
        uint8 status = record.status;
        bool claimed = status == uint8(RequestStatus.Claimed);
        require(claimed || status == uint8(RequestStatus.Open), RequestNotOpen(id, _publicStatus(status)));
        require(block.timestamp > r.deadline, DeadlineNotPassed(r.deadline, block.timestamp));

        record.status = uint8(RequestStatus.Expired);
        uint256 refund = r.maxFee;
        if (claimed) {
            uint256 collateral = _collateralOf(r, record.at, registry.headOf(r.model).collateralBps);
            refund += collateral;
            emit CollateralForfeited(id, record.party, collateral);
        }
        _credit(r.payer, r.token, refund);
        emit Expired(id, r.payer, refund);
    }

    /// @inheritdoc IInferenceCoordinator
    function retryCallback(Request calldata r) external {
        RequestId id = idOf(r);
        RequestRecord storage record = _requests[id];
        require(record.status == UNDELIVERED, CallbackNotPending(id));
        bytes memory output = _outputOf(id, record);
        require(gasleft() >= _callbackGas(r), GasTooLow(gasleft(), _callbackGas(r)));
        record.status = uint8(RequestStatus.Fulfilled);
        IInferenceConsumer(r.consumer).onInference(id, output);
        emit CallbackDelivered(id, r.consumer);
    }

    /// @inheritdoc IInferenceCoordinator
    function declareEnvironment(bytes32 environment) external {
        uint16 count = _environmentCounts[msg.sender];
        require(count < type(uint16).max, EnvironmentsExhausted(msg.sender));
        _environmentCounts[msg.sender] = ++count;
        _environments[msg.sender][count] = environment;
        emit EnvironmentDeclared(msg.sender, environment);
    }

    // ---- reading ----

    /// @inheritdoc IInferenceCoordinator
    function verifyInference(
        ModelId model,
        bytes calldata input,
        bytes calldata output,
        uint256 c,
        uint256[8] calldata proof
    ) external view {
        ModelHead memory head = registry.headOf(model);
        bool isPrivate = head.inputKinds == 1 << uint8(InputKind.Private);
        uint256 inputLength = isPrivate ? 0 : head.inputLength;
        require(input.length == inputLength, InputLengthMismatch(input.length, inputLength));
        require(output.length == head.outputLength, OutputLengthMismatch(output.length, head.outputLength));
        uint256[3] memory signals = ClaimLib.signals(
            ClaimLib.DOMAIN_DIRECT,
            address(this),
            bytes32(0),
            ModelId.unwrap(model),
            msg.sender,
            c,
            input,
            isPrivate ? bytes32(c) : keccak256(input),
            output
        );
        Groth16.verify(head.key, proof, signals);
    }

    /// @inheritdoc IInferenceCoordinator
    function resultOf(RequestId id) public view returns (Result memory) {
        RequestRecord storage record = _requests[id];
        require(_publicStatus(record.status) == RequestStatus.Fulfilled, RequestNotFulfilled(id));
        return
            Result({
                output: _outputOf(id, record),
                model: registry.modelAt(record.model),
                prover: record.party,
                evidence: record.evidence,
                fulfilledAt: record.at,
                environment: _environments[record.party][record.environment]
            });
    }

    /// @inheritdoc IInferenceCoordinator
    function requireResult(RequestId id, ModelId model, uint256 maxAge) external view returns (Result memory result) {
        result = resultOf(id);
        require(ModelId.unwrap(result.model) == ModelId.unwrap(model), ResultOfOtherModel(result.model, model));
        uint256 oldest = maxAge < block.timestamp ? block.timestamp - maxAge : 0;
        require(result.fulfilledAt >= oldest, ResultTooOld(result.fulfilledAt, oldest));
    }

    /// @inheritdoc IInferenceCoordinator
    function callbackPending(RequestId id) external view returns (bool) {
        return _requests[id].status == UNDELIVERED;
    }

    /// @inheritdoc IInferenceCoordinator
    function statusOf(Request calldata r) external view returns (RequestStatus status) {
        status = _publicStatus(_requests[idOf(r)].status);
        bool waits = status == RequestStatus.Open || status == RequestStatus.Claimed;
        if (waits && block.timestamp > r.deadline) return RequestStatus.Expired;
    }

    /// @inheritdoc IInferenceCoordinator
    function claimOf(Request calldata r) external view returns (address claimer, uint256 end) {
        RequestRecord storage record = _requests[idOf(r)];
        if (record.status == uint8(RequestStatus.Claimed)) return (record.party, r.claimEnd(record.at));
    }

    /// @inheritdoc IInferenceCoordinator
    function quote(Request calldata r, uint256 time) external view returns (uint256 price, uint256 collateral) {
        price = r.priceAt(time);
        collateral = r.collateralAt(price, registry.headOf(r.model).collateralBps);
    }

    /// @inheritdoc IInferenceCoordinator
    function idOf(Request calldata r) public view returns (RequestId) {
        return RequestId.wrap(_hashTypedDataV4(RequestLib.structHash(r)));
    }

    /// @inheritdoc IInferenceCoordinator
    function environmentOf(address prover) external view returns (bytes32) {
        return _environments[prover][_environmentCounts[prover]];
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        bool known = id == type(IInferenceCoordinator).interfaceId || id == type(ILedger).interfaceId;
        return known || super.supportsInterface(id);
    }

    // ---- parts ----

    /// @dev Checks the terms, gets the input, records the request. Payment is the caller's.
    function _make(Request calldata r, bytes calldata input) private returns (RequestId id) {
        _checkTerms(r);
        ModelHead memory head = registry.headOf(r.model);
        require(!head.retired, ModelIsRetired(r.model));
        require(head.keyKind != KeyKind.Development || r.allowDevelopmentKeys, DevelopmentKeyNotAllowed(r.model));
        require(head.inputKinds & (1 << uint8(r.inputKind)) != 0, InputKindNotTaken(r.model));

        Request memory made = r;
        bytes memory shown = input;
        if (r.inputKind == InputKind.Data) {
            require(r.originHash == 0, OriginMismatch(r.originHash, 0));
            bytes32 inputHash = keccak256(input);
            require(r.inputHash == inputHash, InputMismatch(inputHash, r.inputHash));
        } else {
            bytes32 originHash = keccak256(input);
            require(r.originHash == originHash, OriginMismatch(originHash, r.originHash));
            if (r.inputKind == InputKind.Source) {
                require(r.inputHash == 0, InputMismatch(0, r.inputHash));
                (address source, bytes memory query) = abi.decode(input, (address, bytes));
                shown = IInputSource(source).read(query);
                made.inputHash = keccak256(shown);
                made.readAt = uint40(block.number);
            } else {
                require(input.length <= MAX_URI_LENGTH, UriTooLong(input.length));
                if (r.inputKind == InputKind.Private) {
                    require(uint256(r.inputHash) < Bn254.R, CommitmentOutOfField(r.inputHash));
                }
            }
        }
        if (r.inputKind == InputKind.Data || r.inputKind == InputKind.Source) {
            require(shown.length == head.inputLength, InputLengthMismatch(shown.length, head.inputLength));
        }

        id = RequestId.wrap(_hashTypedDataV4(RequestLib.structHash(made)));
        RequestRecord storage record = _requests[id];
        require(record.status == uint8(RequestStatus.Unknown), RequestAlreadyMade(id));
        record.model = head.number;
        record.status = uint8(RequestStatus.Open);
        record.word = made.inputHash;
        emit Requested(id, r.model, r.requester, made, shown);
        if (r.inputKind == InputKind.Source) {
            (address source, bytes memory query) = abi.decode(input, (address, bytes));
            emit InputRead(id, source, query);
        }
    }

    function _checkTerms(Request calldata r) private view {
        require(block.timestamp <= r.submitBy, SubmittedTooLate(r.submitBy, block.timestamp));
        require(r.deadline > block.timestamp, DeadlinePassed(r.deadline, block.timestamp));
        uint256 latest = block.timestamp + MAX_WINDOW;
        require(r.deadline <= latest, DeadlineTooFar(r.deadline, latest));
        bool inOrder = r.start <= r.rampEnd && r.rampEnd <= r.deadline;
        require(inOrder, TimesOutOfOrder(r.start, r.rampEnd, r.deadline));
        require(r.minFee <= r.maxFee, FeesOutOfOrder(r.minFee, r.maxFee));
        require(r.payer != address(0), PayerMissing());
        require(r.readAt == 0, FieldNotZero(r.readAt));
        require(r.callbackGas <= MAX_CALLBACK_GAS, CallbackGasTooHigh(r.callbackGas, MAX_CALLBACK_GAS));
        uint32 available = Evidence.ZK | (r.inputKind == InputKind.Source ? Evidence.CHAIN_INPUT : 0);
        require(r.requiredEvidence & ~available == 0, EvidenceUnavailable(r.requiredEvidence, available));
    }

    function _fulfil(
        Request calldata r,
        Answer calldata answer,
        address prover
    ) private nonReentrant returns (RequestId id) {
        id = idOf(r);
        RequestRecord storage record = _requests[id];
        uint8 status = record.status;
        bool claimed = status == uint8(RequestStatus.Claimed);
        if (!claimed) {
            require(status == uint8(RequestStatus.Open), RequestNotOpen(id, _publicStatus(status)));
        }
        require(prover != address(0), ProverMissing());
        _requireProver(r, prover);
        _requireTime(r);
        (address claimer, uint256 claimedAt) = (record.party, record.at);
        bool forfeited = claimed && block.timestamp > r.claimEnd(claimedAt);
        if (claimed && !forfeited) require(prover == claimer, ClaimedByOther(id, claimer, r.claimEnd(claimedAt)));

        ModelHead memory head = registry.headOf(r.model);
        Groth16.verify(head.key, answer.proof, _signals(id, r, answer, prover, head));

        uint256 price = r.priceAt(claimed ? claimedAt : block.timestamp);
        uint16 environment = _environmentCounts[prover];
        uint32 evidence = _evidenceOf(r, head);
        record.party = prover;
        record.at = uint32(block.timestamp);
        record.environment = environment;
        record.evidence = uint8(evidence);
        record.status = uint8(RequestStatus.Fulfilled);
        if (answer.output.length <= 32) {
            record.word = bytes32(answer.output);
        } else {
            record.word = keccak256(answer.output);
            _longOutputs[id] = answer.output;
        }
        _pay(r, head, prover, price);
        if (claimed) {
            uint256 collateral = r.collateralAt(price, head.collateralBps);
            if (forfeited) {
                _credit(r.payer, r.token, collateral / 2);
                _credit(prover, r.token, collateral - collateral / 2);
                emit CollateralForfeited(id, claimer, collateral);
            } else {
                _credit(prover, r.token, collateral);
            }
        }
        emit Fulfilled(
            id,
            r.model,
            prover,
            price,
            evidence,
            _environments[prover][environment],
            answer.c,
            answer.output,
            answer.proof
        );
    }

    /// @dev The proof's signals, from the bytes that were brought; the bytes are those of the request.
    function _signals(
        RequestId id,
        Request calldata r,
        Answer calldata answer,
        address prover,
        ModelHead memory head
    ) private view returns (uint256[3] memory) {
        uint256 length = answer.output.length;
        require(length == head.outputLength, OutputLengthMismatch(length, head.outputLength));
        if (r.inputKind == InputKind.Private) {
            require(answer.input.length == 0, InputLengthMismatch(answer.input.length, 0));
            require(answer.c == uint256(r.inputHash), CommitmentMismatch(answer.c, r.inputHash));
        } else {
            // The length by the hash: only a Reference can be of another, and that none fulfils.
            require(
                answer.input.length == head.inputLength,
                InputLengthMismatch(answer.input.length, head.inputLength)
            );
            bytes32 inputHash = keccak256(answer.input);
            require(inputHash == r.inputHash, InputMismatch(inputHash, r.inputHash));
        }
        return
            ClaimLib.signals(
                ClaimLib.DOMAIN_CLAIM,
                address(this),
                RequestId.unwrap(id),
                ModelId.unwrap(r.model),
                prover,
                answer.c,
                answer.input,
                r.inputHash,
                answer.output
            );
    }

    function _pay(Request calldata r, ModelHead memory head, address prover, uint256 price) private {
        uint256 royalty = (price * head.royaltyBps) / BPS;
        if (royalty > 0) _credit(registry.publisherOf(r.model), r.token, royalty);
        _credit(prover, r.token, price - royalty);
        _credit(r.payer, r.token, r.maxFee - price);
    }

    function _callBack(RequestId id, Request calldata r, bytes calldata output) private {
        bytes memory data = abi.encodeCall(IInferenceConsumer.onInference, (id, output));
        // A consumer without code (never there, or gone) would take the call for a success.
        bool delivered = r.consumer.code.length > 0 && _callWithGas(r.consumer, r.callbackGas, data);
        if (!delivered) {
            _requests[id].status = UNDELIVERED;
            emit CallbackFailed(id, r.consumer);
        }
    }

    /// @dev Calls with exactly `gas_`, or less than is left, and does not copy what is returned.
    function _callWithGas(address to, uint256 gas_, bytes memory data) private returns (bool success) {
        // Memory: reads data, as Solidity laid it out (length, then bytes). Writes nothing.
        assembly ("memory-safe") {
            success := call(gas_, to, 0, add(data, 0x20), mload(data), 0x00, 0x00)
        }
    }

    /// @dev What must be left so that the consumer gets all of callbackGas, and what follows has enough.
    function _callbackGas(Request calldata r) private pure returns (uint256) {
        return (uint256(r.callbackGas) * 64) / 63 + 40_000;
    }

    function _requireTime(Request calldata r) private view {
        require(block.timestamp >= r.start, NotStarted(r.start, block.timestamp));
        require(block.timestamp <= r.deadline, DeadlinePassed(r.deadline, block.timestamp));
    }

    function _requireProver(Request calldata r, address prover) private pure {
        require(r.prover == address(0) || r.prover == prover, ProverNotChosen(prover, r.prover));
    }

    function _collateralOf(Request calldata r, uint256 claimedAt, uint256 bps) private pure returns (uint256) {
        return r.collateralAt(r.priceAt(claimedAt), bps);
    }

    function _evidenceOf(Request calldata r, ModelHead memory head) private pure returns (uint32 evidence) {
        evidence = Evidence.ZK;
        if (head.keyKind == KeyKind.Development) evidence |= Evidence.DEVELOPMENT_KEY;
        if (r.inputKind == InputKind.Source) evidence |= Evidence.CHAIN_INPUT;
    }

    function _outputOf(RequestId id, RequestRecord storage record) private view returns (bytes memory output) {
        uint256 length = registry.headOf(registry.modelAt(record.model)).outputLength;
        if (length > 32) return _longOutputs[id];
        bytes32 word = record.word;
        output = new bytes(length);
        for (uint256 i = 0; i < length; ++i) output[i] = word[i];
    }

    function _publicStatus(uint8 status) private pure returns (RequestStatus) {
        return status == UNDELIVERED ? RequestStatus.Fulfilled : RequestStatus(status);
    }
}
