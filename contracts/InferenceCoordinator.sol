// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {Groth16Verifier} from "./Groth16Verifier.sol";
import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
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
import {RequestLib} from "./libraries/RequestLib.sol";
import {InputKind, KeyKind, ModelHead, ModelId} from "./types/Model.sol";
import {Answer, Payment, Request, RequestId, RequestRecord, RequestStatus, Result} from "./types/Request.sol";

// Requests are decoded into memory once, since each of their fields is hashed and many are read; calldata costs as much gas
// and more code.
// solhint-disable gas-calldata-parameters
contract InferenceCoordinator is IInferenceCoordinator, Ledger, EIP712, ERC165 {
    using RequestLib for Request;

    /// @notice How far ahead a deadline may be.
    uint256 public constant MAX_WINDOW = 180 days;
    /// @notice Seconds that a claim leaves to the deadline at least.
    uint256 public constant MIN_TIME_AFTER_CLAIM = 60;
    uint256 public constant MAX_URI_LENGTH = 2_048;
    /// @notice A fulfilment must fit into a transaction (2^24 gas since EIP-7825) with its callback.
    uint256 public constant MAX_CALLBACK_GAS = 10_000_000;
    /// @notice A batch must, too.
    uint256 public constant MAX_BATCH = 64;
    uint256 private constant BPS = 10_000;
    /// @dev Upper bounds of what the parts of a batch cost, held by test/contracts/batch.test.ts: checking all proofs, for
    /// itself and for each; settling an item; a slot of a long output; all else from there to the consumers' calls.
    uint256 private constant CHECK_GAS = 250_000;
    uint256 private constant PROOF_GAS = 60_000;
    uint256 private constant SETTLEMENT_GAS = 120_000;
    uint256 private constant OUTPUT_SLOT_GAS = 23_000;
    uint256 private constant BATCH_GAS = 40_000;
    /// @dev Bytes of a proof and its signals, as {IGroth16Verifier-verifyMany} takes them.
    uint256 private constant PROOF_LENGTH = 352;
    /// @dev A status of storage: fulfilled, and the consumer's call failed.
    uint8 private constant UNDELIVERED = 5;

    /// @inheritdoc IInferenceCoordinator
    IModelRegistry public immutable registry;
    ISignatureValidator public immutable signatureValidator;
    IGroth16Verifier public immutable verifier;

    /// @dev Whom a fulfilment pays, and what the prover declares: the statement and its position.
    struct Parties {
        address prover;
        address publisher;
        uint16 position;
        bytes32 environment;
    }

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
        verifier = new Groth16Verifier();
    }

    // ---- asking ----

    /// @inheritdoc IInferenceCoordinator
    function request(
        Request memory r,
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
        Request memory r,
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
    function cancel(Request memory r) external nonReentrant {
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
    function claim(Request memory r) external payable nonReentrant {
        RequestId id = idOf(r);
        RequestRecord storage record = _requests[id];
        uint8 status = record.status;
        require(status == uint8(RequestStatus.Open), RequestNotOpen(id, _publicStatus(status)));
        require(r.claimPeriod > 0, ClaimsNotTaken(id));
        _requireProver(r, msg.sender);
        _requireTime(r);
        // As much time is left after it as it lasts, and blocks enough: an answer that a claim kept out can always be sent
        // again, so that nobody, not the requester by another account either, gains by claiming what was answered already.
        uint256 rest = r.claimPeriod < MIN_TIME_AFTER_CLAIM ? MIN_TIME_AFTER_CLAIM : r.claimPeriod;
        uint256 latest = block.timestamp + r.claimPeriod + rest;
        require(latest <= r.deadline, ClaimTooLate(latest, r.deadline));
        uint256 price = r.priceAt(block.timestamp);
        uint256 collateral = r.collateralAt(price, registry.headOf(r.model).collateralBps);

        record.party = msg.sender;
        record.at = uint32(block.timestamp);
        record.status = uint8(RequestStatus.Claimed);
        if (msg.value > 0) {
            require(r.token == address(0), ValueMismatch(msg.value, 0));
            // More than the collateral is welcome: nobody knows the price of the second before it is there.
            _credit(msg.sender, r.token, msg.value);
            emit Deposited(msg.sender, r.token, msg.value);
        }
        _debit(msg.sender, r.token, collateral);
        emit Claimed(id, msg.sender, price, collateral, r.claimEnd(block.timestamp));
    }

    /// @inheritdoc IInferenceCoordinator
    function fulfil(Request memory r, Answer calldata answer, address prover) external {
        RequestId id = _fulfil(r, answer, prover);
        if (r.consumer != address(0)) _callBack(id, r, answer.output);
    }

    /// @inheritdoc IInferenceCoordinator
    function fulfilBatch(
        Request[] memory requests,
        Answer[] calldata answers,
        address prover
    ) external returns (uint256 fulfilled) {
        RequestId[] memory ids = _fulfilMany(requests, answers, prover);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (RequestId.unwrap(ids[i]) == 0) continue;
            ++fulfilled;
            if (requests[i].consumer != address(0)) _callBack(ids[i], requests[i], answers[i].output);
        }
    }

    /// @inheritdoc IInferenceCoordinator
    function expire(Request memory r) external nonReentrant {
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
    function retryCallback(Request memory r) external {
        RequestId id = idOf(r);
        RequestRecord storage record = _requests[id];
        require(record.status == UNDELIVERED, CallbackNotPending(id));
        bytes memory output = _outputOf(id, record);
        _requireGas(_callbackGas(r));
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
        verifier.verify(head.key, proof, signals);
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
    function statusOf(Request memory r) external view returns (RequestStatus status) {
        status = _publicStatus(_requests[idOf(r)].status);
        bool waits = status == RequestStatus.Open || status == RequestStatus.Claimed;
        if (waits && block.timestamp > r.deadline) return RequestStatus.Expired;
    }

    /// @inheritdoc IInferenceCoordinator
    function claimOf(Request memory r) external view returns (address claimer, uint256 end) {
        RequestRecord storage record = _requests[idOf(r)];
        if (record.status == uint8(RequestStatus.Claimed)) return (record.party, r.claimEnd(record.at));
    }

    /// @inheritdoc IInferenceCoordinator
    function quote(Request memory r, uint256 time) external view returns (uint256 price, uint256 collateral) {
        price = r.priceAt(time);
        collateral = r.collateralAt(price, registry.headOf(r.model).collateralBps);
    }

    /// @inheritdoc IInferenceCoordinator
    function idOf(Request memory r) public view returns (RequestId) {
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
    function _make(Request memory r, bytes calldata input) private returns (RequestId id) {
        _checkTerms(r);
        ModelHead memory head = registry.headOf(r.model);
        require(!head.retired, ModelIsRetired(r.model));
        require(head.keyKind != KeyKind.Development || r.allowDevelopmentKeys, DevelopmentKeyNotAllowed(r.model));
        require(head.inputKinds & (1 << uint8(r.inputKind)) != 0, InputKindNotTaken(r.model));

        bytes memory shown = input;
        address source;
        bytes memory query;
        if (r.inputKind == InputKind.Data) {
            require(r.originHash == 0, OriginMismatch(r.originHash, 0));
            bytes32 inputHash = keccak256(input);
            require(r.inputHash == inputHash, InputMismatch(inputHash, r.inputHash));
        } else {
            bytes32 originHash = keccak256(input);
            require(r.originHash == originHash, OriginMismatch(originHash, r.originHash));
            if (r.inputKind == InputKind.Source) {
                require(r.inputHash == 0, InputMismatch(0, r.inputHash));
                (source, query) = abi.decode(input, (address, bytes));
                shown = IInputSource(source).read(query);
                r.inputHash = keccak256(shown);
                r.readAt = uint40(block.number);
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

        id = idOf(r);
        RequestRecord storage record = _requests[id];
        require(record.status == uint8(RequestStatus.Unknown), RequestAlreadyMade(id));
        record.model = head.number;
        record.status = uint8(RequestStatus.Open);
        record.word = r.inputHash;
        emit Requested(id, r.model, r.requester, r, shown);
        if (r.inputKind == InputKind.Source) emit InputRead(id, source, query);
    }

    function _checkTerms(Request memory r) private view {
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
        Request memory r,
        Answer calldata answer,
        address prover
    ) private nonReentrant returns (RequestId id) {
        ModelHead memory head = registry.headOf(r.model);
        Parties memory parties = _partiesOf(prover, r.model, head);
        id = idOf(r);
        (bytes memory reason, uint256[3] memory signals) = _check(id, r, answer, prover, head);
        if (reason.length > 0) LowLevelCall.bubbleRevert(reason);
        verifier.verify(head.key, answer.proof, signals);
        _settle(id, r, answer, parties, head);
    }

    /// @dev All of {fulfilBatch} but the consumers' calls.
    /// @return settled the ids, by item; zero for what was left out
    function _fulfilMany(
        Request[] memory requests,
        Answer[] calldata answers,
        address prover
    ) private nonReentrant returns (RequestId[] memory settled) {
        uint256 n = requests.length;
        require(n == answers.length && n > 0 && n <= MAX_BATCH, BatchInvalid(n, answers.length));
        ModelId model = requests[0].model;
        ModelHead memory head = registry.headOf(model);
        Parties memory parties = _partiesOf(prover, model, head);

        settled = new RequestId[](n);
        uint256[] memory items = new uint256[](n);
        bytes memory proofs = new bytes(n * PROOF_LENGTH);
        uint256 count = 0;
        uint256 reserved = BATCH_GAS;
        for (uint256 i = 0; i < n; ++i) {
            Request memory r = requests[i];
            require(ModelId.unwrap(r.model) == ModelId.unwrap(model), BatchOfTwoModels(model, r.model));
            Answer calldata answer = answers[i];
            RequestId id = idOf(r);
            (bytes memory reason, uint256[3] memory signals) = _check(id, r, answer, prover, head);
            if (reason.length > 0) {
                emit ItemSkipped(id, reason);
                continue;
            }
            (settled[i], items[count]) = (id, i);
            _put(proofs, count, answer.proof, signals);
            reserved += _settlementGas(r, head.outputLength);
            ++count;
        }
        // Memory: shortens the list to what is in it.
        assembly ("memory-safe") {
            mstore(proofs, mul(count, 0x160))
        }
        // Proofs that do not hold cost gas that no sender counts on. Whatever they cost, enough is left to settle the others.
        _requireGas(reserved + CHECK_GAS + PROOF_GAS * count);
        (uint256 valid, uint256 decided) = verifier.verifyMany{gas: gasleft() - reserved}(head.key, proofs);
        for (uint256 k = 0; k < count; ++k) {
            uint256 i = items[k];
            RequestId id = settled[i];
            bytes memory reason;
            if (k >= decided) reason = _reason(GasTooLow.selector, gasleft(), reserved + CHECK_GAS + PROOF_GAS);
            else if (valid & (1 << k) == 0) reason = abi.encodeWithSelector(InvalidProof.selector);
            else reason = _settle(id, requests[i], answers[i], parties, head);
            if (reason.length > 0) {
                emit ItemSkipped(id, reason);
                settled[i] = RequestId.wrap(0);
            }
        }
    }

    /// @dev Writes the proof and the signals of item `at` to their place in `proofs`.
    function _put(bytes memory proofs, uint256 at, uint256[8] calldata proof, uint256[3] memory signals) private pure {
        // Memory: writes 0x160 bytes, `at` times as many after the start of proofs: the proof's 8 words, then the 3 of signals.
        assembly ("memory-safe") {
            let to := add(add(proofs, 0x20), mul(at, 0x160))
            calldatacopy(to, proof, 0x100)
            mcopy(add(to, 0x100), signals, 0x60)
        }
    }

    /// @dev What is against fulfilling a request with an answer, but for the equation of the proof: an encoded error, or
    /// nothing. With it the proof's signals, from the bytes that were brought.
    function _check(
        RequestId id,
        Request memory r,
        Answer calldata answer,
        address prover,
        ModelHead memory head
    ) private view returns (bytes memory reason, uint256[3] memory signals) {
        reason = _checkTurn(id, r, prover);
        if (reason.length > 0) return (reason, signals);
        bytes calldata output = answer.output;
        if (output.length != head.outputLength) {
            return (_reason(OutputLengthMismatch.selector, output.length, head.outputLength), signals);
        }
        bytes calldata input = answer.input;
        bool isPrivate = r.inputKind == InputKind.Private;
        // The length by the hash: only a Reference can be of another, and that none fulfils.
        uint256 length = isPrivate ? 0 : head.inputLength;
        if (input.length != length) return (_reason(InputLengthMismatch.selector, input.length, length), signals);
        if (isPrivate) {
            if (answer.c != uint256(r.inputHash)) {
                return (_reason(CommitmentMismatch.selector, answer.c, uint256(r.inputHash)), signals);
            }
        } else {
            bytes32 inputHash = keccak256(input);
            if (inputHash != r.inputHash) {
                return (_reason(InputMismatch.selector, uint256(inputHash), uint256(r.inputHash)), signals);
            }
        }
        signals = ClaimLib.signals(
            ClaimLib.DOMAIN_CLAIM,
            address(this),
            RequestId.unwrap(id),
            ModelId.unwrap(r.model),
            prover,
            answer.c,
            input,
            r.inputHash,
            output
        );
    }

    /// @dev What is against `prover` fulfilling the request now.
    function _checkTurn(RequestId id, Request memory r, address prover) private view returns (bytes memory) {
        RequestRecord storage record = _requests[id];
        (address claimer, uint256 claimedAt, uint8 status) = (record.party, record.at, record.status);
        if (!_waits(status)) return _notOpen(id, status);
        if (r.prover != address(0) && r.prover != prover) {
            return _reason(ProverNotChosen.selector, uint160(prover), uint160(r.prover));
        }
        if (block.timestamp < r.start) return _reason(NotStarted.selector, r.start, block.timestamp);
        if (block.timestamp > r.deadline) return _reason(DeadlinePassed.selector, r.deadline, block.timestamp);
        if (status == uint8(RequestStatus.Claimed) && claimer != prover && block.timestamp <= r.claimEnd(claimedAt)) {
            return abi.encodeWithSelector(ClaimedByOther.selector, id, claimer, r.claimEnd(claimedAt));
        }
        return "";
    }

    /// @dev Ends a request that {_check} found nothing against and whose proof holds.
    /// @return reason as of {_check}: the same request may be in a batch twice
    function _settle(
        RequestId id,
        Request memory r,
        Answer calldata answer,
        Parties memory parties,
        ModelHead memory head
    ) private returns (bytes memory reason) {
        RequestRecord storage record = _requests[id];
        (address claimer, uint256 claimedAt, uint8 status) = (record.party, record.at, record.status);
        if (!_waits(status)) return _notOpen(id, status);
        bool claimed = status == uint8(RequestStatus.Claimed);
        uint256 price = r.priceAt(claimed ? claimedAt : block.timestamp);
        uint32 evidence = _evidenceOf(r, head);
        record.word = _keep(id, answer.output);
        record.party = parties.prover;
        record.at = uint32(block.timestamp);
        record.environment = parties.position;
        record.evidence = uint8(evidence);
        record.status = uint8(RequestStatus.Fulfilled);
        _pay(r, head, parties, price);
        if (claimed) {
            uint256 collateral = r.collateralAt(price, head.collateralBps);
            if (block.timestamp > r.claimEnd(claimedAt)) {
                _credit(r.payer, r.token, collateral / 2);
                _credit(parties.prover, r.token, collateral - collateral / 2);
                emit CollateralForfeited(id, claimer, collateral);
            } else {
                _credit(parties.prover, r.token, collateral);
            }
        }
        emit Fulfilled(
            id,
            r.model,
            parties.prover,
            price,
            evidence,
            parties.environment,
            answer.c,
            answer.output,
            answer.proof
        );
    }

    /// @dev The output, or its hash if it needs more than a slot and is stored apart.
    function _keep(RequestId id, bytes calldata output) private returns (bytes32) {
        if (output.length <= 32) return bytes32(output);
        _longOutputs[id] = output;
        return keccak256(output);
    }

    function _partiesOf(address prover, ModelId model, ModelHead memory head) private view returns (Parties memory) {
        require(prover != address(0), ProverMissing());
        address publisher = head.royaltyBps > 0 ? registry.publisherOf(model) : address(0);
        uint16 position = _environmentCounts[prover];
        return Parties(prover, publisher, position, _environments[prover][position]);
    }

    function _notOpen(RequestId id, uint8 status) private pure returns (bytes memory) {
        return _reason(RequestNotOpen.selector, uint256(RequestId.unwrap(id)), uint8(_publicStatus(status)));
    }

    function _reason(bytes4 selector, uint256 a, uint256 b) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }

    /// @dev What settling takes at most, if all accounts are new; with the consumer's call.
    function _settlementGas(Request memory r, uint256 outputLength) private pure returns (uint256 gas_) {
        gas_ = SETTLEMENT_GAS;
        if (outputLength > 32) gas_ += (outputLength / 32 + 2) * OUTPUT_SLOT_GAS;
        if (r.consumer != address(0)) gas_ += _callbackGas(r);
    }

    function _pay(Request memory r, ModelHead memory head, Parties memory parties, uint256 price) private {
        uint256 royalty = (price * head.royaltyBps) / BPS;
        if (royalty > 0) _credit(parties.publisher, r.token, royalty);
        _credit(parties.prover, r.token, price - royalty);
        _credit(r.payer, r.token, r.maxFee - price);
    }

    function _callBack(RequestId id, Request memory r, bytes calldata output) private {
        _requireGas(_callbackGas(r));
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

    function _requireGas(uint256 needed) private view {
        require(gasleft() >= needed, GasTooLow(gasleft(), needed));
    }

    /// @dev What must be left so that the consumer gets all of callbackGas, and what follows has enough. EIP-150 keeps back a
    /// 64th of what is left, and the call itself costs something.
    function _callbackGas(Request memory r) private pure returns (uint256) {
        return (uint256(r.callbackGas) * 64) / 63 + 40_000;
    }

    function _requireTime(Request memory r) private view {
        require(block.timestamp >= r.start, NotStarted(r.start, block.timestamp));
        require(block.timestamp <= r.deadline, DeadlinePassed(r.deadline, block.timestamp));
    }

    function _requireProver(Request memory r, address prover) private pure {
        require(r.prover == address(0) || r.prover == prover, ProverNotChosen(prover, r.prover));
    }

    function _collateralOf(Request memory r, uint256 claimedAt, uint256 bps) private pure returns (uint256) {
        return r.collateralAt(r.priceAt(claimedAt), bps);
    }

    function _evidenceOf(Request memory r, ModelHead memory head) private pure returns (uint32 evidence) {
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

    function _waits(uint8 status) private pure returns (bool) {
        return status == uint8(RequestStatus.Open) || status == uint8(RequestStatus.Claimed);
    }

    function _publicStatus(uint8 status) private pure returns (RequestStatus) {
        return status == UNDELIVERED ? RequestStatus.Fulfilled : RequestStatus(status);
    }
}
