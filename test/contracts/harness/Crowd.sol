// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInferenceCoordinator} from "../../../contracts/interfaces/IInferenceCoordinator.sol";
import {ILedger} from "../../../contracts/interfaces/ILedger.sol";
import {InputKind, ModelId} from "../../../contracts/types/Model.sol";
import {Answer, Payment, Request, RequestId, RequestStatus, Result} from "../../../contracts/types/Request.sol";
import {Act, Books, Dice} from "./Books.sol";
import {Consumer} from "./Consumers.sol";
import {Publishers} from "./Publishers.sol";
import {Scene} from "./Scene.sol";
import {Spec} from "./Spec.sol";
import {SilentToken} from "./Tokens.sol";
import {vm} from "./Vm.sol";

/// @notice Does to a coordinator what a few people do in any order, right and wrong, and never reverts. Each act follows
/// from one seed.
contract Crowd is Publishers {
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant OPEN = 1 << uint256(RequestStatus.Open);
    uint256 private constant CLAIMED = 1 << uint256(RequestStatus.Claimed);
    uint256 private constant FULFILLED = 1 << uint256(RequestStatus.Fulfilled);
    /// @dev Enough for a consumer, whatever it does; the other choice is none.
    uint32 private constant CALLBACK_GAS = 3_000_000;

    uint64 private nonce;
    /// @dev What consumers hold of the native coin.
    mapping(address consumer => uint256) private held;
    bytes32 private feedWord;
    bool private feedBroken;

    constructor(Scene scene_) Books(scene_) Publishers(scene_) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            for (uint256 j = 0; j < 3; ++j) {
                _deposit(people[i], people[i], tokens[j], 20_000, true);
                _authorise(people[i], people[(i + 1) % PEOPLE], tokens[j], 4_000);
            }
        }
    }

    // ---- asking ----

    function request(uint256 seed) external {
        Dice memory dice = Dice(seed);
        (Request memory r, bytes memory sent, bytes memory input) = _draft(dice);
        bool direct = _next(dice, 2) == 0;
        bool native = r.token == address(0);
        bool stranger = _next(dice, 24) == 0;
        address from = stranger ? _person(dice) : r.requester;
        uint256 slip = _next(dice, 24);
        uint256 value = direct && native ? r.maxFee : 0;
        if (slip == 0) ++value;
        if (slip == 1 && value > 0) --value;
        bool paid;
        if (direct) {
            paid = value == (native ? r.maxFee : 0);
            bool underfunded = slip == 2 && r.token == tokens[1] && r.maxFee > 0;
            if (!native) _fund(from, r.token, underfunded ? r.maxFee - 1 : r.maxFee);
            if (underfunded) paid = false;
        } else {
            paid = value == 0 && _maySpend(r.payer, r.requester, r.token, r.maxFee);
        }
        bool due = paid && from == r.requester && _termsHold(r, sent) && !used[_idOf(_made(r, input))];
        Act act = direct ? Act.RequestDirect : Act.RequestFromAccount;
        Payment payment = direct ? Payment.Direct : Payment.Account;
        bytes memory data = abi.encodeCall(IInferenceCoordinator.request, (r, sent, payment));
        (bool done, bytes memory id) = _call(act, from, address(coordinator), value, 15_000_000, data, due);
        if (!done) return;
        if (!direct) _spend(r.payer, r.requester, r.token, r.maxFee);
        _open(r, sent, input, id);
    }

    /// @notice By a signature of the requester's, or of somebody else's; some are revoked before they are used.
    function requestSigned(uint256 seed) external {
        Dice memory dice = Dice(seed);
        (Request memory r, bytes memory sent, bytes memory input) = _draft(dice);
        uint256 signer = 0;
        while (people[signer] != r.requester) ++signer;
        bool forged = _next(dice, 10) == 0;
        if (forged) signer = (signer + 1) % PEOPLE;
        RequestId signed = _idOf(r);
        bytes memory signature = _sign(signer, signed);
        if (_next(dice, 8) == 0) {
            address canceller = _next(dice, 4) == 0 ? _person(dice) : r.requester;
            bytes memory revocation = abi.encodeCall(IInferenceCoordinator.cancel, (r));
            if (_call(Act.Revoke, canceller, revocation, canceller == r.requester)) used[signed] = true;
        }
        for (uint256 times = 0; times < 2; ++times) {
            bool paid = _maySpend(r.payer, r.requester, r.token, r.maxFee);
            bool due = !forged && paid && !used[signed] && !used[_idOf(_made(r, input))] && _termsHold(r, sent);
            bytes memory data = abi.encodeCall(IInferenceCoordinator.requestFor, (r, sent, signature));
            address from = _person(dice);
            (bool done, bytes memory id) = _call(
                times == 0 ? Act.RequestSigned : Act.RequestAgain,
                from,
                address(coordinator),
                0,
                15_000_000,
                data,
                due
            );
            if (!done) return;
            used[signed] = true;
            _spend(r.payer, r.requester, r.token, r.maxFee);
            _open(r, sent, input, id);
        }
    }

    /// @notice The same request once more, whatever became of it.
    function requestAgain(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        Entry memory e = entries[ids[_next(dice, ids.length)]];
        if (e.r.inputKind == InputKind.Source) return;
        bool native = e.r.token == address(0);
        if (!native) _fund(e.r.requester, e.r.token, e.r.maxFee);
        bytes memory data = abi.encodeCall(IInferenceCoordinator.request, (e.r, e.sent, Payment.Direct));
        uint256 value = native ? e.r.maxFee : 0;
        _call(Act.RequestAgain, e.r.requester, address(coordinator), value, 15_000_000, data, false);
    }

    function cancel(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        RequestId id = _pick(dice, OPEN);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (_is(ids[i], RequestStatus.Open) && entries[ids[i]].r.start > block.timestamp) id = ids[i];
        }
        Request memory r = entries[id].r;
        address from = _next(dice, 6) == 0 ? _person(dice) : r.requester;
        bool due = from == r.requester && _is(id, RequestStatus.Open) && block.timestamp < r.start;
        if (!_call(Act.Cancel, from, abi.encodeCall(IInferenceCoordinator.cancel, (r)), due)) return;
        _credit(r.payer, r.token, r.maxFee);
        _end(id, RequestStatus.Expired);
    }

    // ---- answering ----

    function claim(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        RequestId id = _pickInTime(dice, OPEN);
        uint256 first = _next(dice, ids.length);
        for (uint256 i = 0; i < ids.length && (!_claimable(id) || !_is(id, RequestStatus.Open)); ++i) {
            if (_next(dice, 8) > 0) id = ids[(first + i) % ids.length];
        }
        Request memory r = entries[id].r;
        address from = r.prover == address(0) || _next(dice, 8) == 0 ? _person(dice) : r.prover;
        (, uint256 collateral) = priceOf(id, block.timestamp);
        uint256 value = 0;
        if (_next(dice, 2) == 0) value = collateral;
        uint256 slip = _next(dice, 12);
        if (slip == 0) ++value;
        if (slip == 1 && value > 0) --value;
        bool paid = r.token == address(0) || value == 0;
        paid = paid && balance[from][r.token] + value >= collateral;
        bool due = paid && _is(id, RequestStatus.Open) && _claimable(id) && _suits(r, from);
        bytes memory data = abi.encodeCall(IInferenceCoordinator.claim, (r));
        (bool done, ) = _call(Act.Claim, from, address(coordinator), value, 15_000_000, data, due);
        if (!done) return;
        _credit(from, r.token, value);
        balance[from][r.token] -= collateral;
        Entry storage e = entries[id];
        (e.status, e.claimer, e.claimedAt) = (RequestStatus.Claimed, from, block.timestamp);
    }

    function fulfil(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        RequestId id = _pickInTime(dice, OPEN | CLAIMED);
        Entry memory e = entries[id];
        address prover = _prover(dice, id);
        (Answer memory answer, bool truth) = _answer(dice, id, prover);
        bool due = truth && _mayFulfil(id, prover);
        bool asks = e.r.consumer != address(0);
        bool short = asks && e.r.callbackGas > 0 && _next(dice, 12) == 0;
        _prepare(id, answer, prover);
        bytes memory data = abi.encodeCall(IInferenceCoordinator.fulfil, (e.r, answer, prover));
        Act act = Act.FulfilOpen;
        if (e.status == RequestStatus.Claimed) act = _ranOut(id) ? Act.FulfilForfeited : Act.FulfilClaimed;
        address from = _person(dice);
        uint256 gas_ = short ? 2_500_000 : 9_000_000;
        (bool done, ) = _call(act, from, address(coordinator), 0, gas_, data, due && !short);
        if (!done) return;
        _settle(id, answer.output, prover);
        if (asks) entries[id].undelivered = !_calledBack(e.r.consumer, e.r.callbackGas);
    }

    /// @notice Up to six of a model's requests at once: good and bad answers, requests that ended, one of them twice.
    function fulfilBatch(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        RequestId[] memory batch = _pickBatch(dice);
        address prover = _prover(dice, batch[0]);
        Request[] memory requests = new Request[](batch.length);
        Answer[] memory answers = new Answer[](batch.length);
        bool[] memory due = new bool[](batch.length);
        uint256 expected = 0;
        for (uint256 i = 0; i < batch.length; ++i) {
            requests[i] = entries[batch[i]].r;
            (answers[i], due[i]) = _answer(dice, batch[i], prover);
            due[i] = due[i] && _mayFulfil(batch[i], prover);
            for (uint256 j = 0; j < i; ++j) {
                if (RequestId.unwrap(batch[i]) == RequestId.unwrap(batch[j]) && due[j]) due[i] = false;
            }
            if (!due[i]) continue;
            ++expected;
            _prepare(batch[i], answers[i], prover);
        }
        bytes memory data = abi.encodeCall(IInferenceCoordinator.fulfilBatch, (requests, answers, prover));
        (bool done, bytes memory result) = _call(
            Act.FulfilBatch,
            _person(dice),
            address(coordinator),
            0,
            50_000_000,
            data,
            prover != address(0)
        );
        if (!done) return;
        _expect(abi.decode(result, (uint256)) == expected, "a batch fulfilled more or less than it should");
        for (uint256 i = 0; i < batch.length; ++i) {
            if (!due[i]) continue;
            Request memory r = requests[i];
            _settle(batch[i], answers[i].output, prover);
            if (r.consumer != address(0)) entries[batch[i]].undelivered = !_calledBack(r.consumer, r.callbackGas);
        }
    }

    function expire(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        RequestId id = _pick(dice, OPEN | CLAIMED);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (_waits(ids[i]) && entries[ids[i]].r.deadline < block.timestamp) id = ids[i];
        }
        Entry memory e = entries[id];
        bool due = _waits(id) && block.timestamp > e.r.deadline;
        if (!_call(Act.Expire, _person(dice), abi.encodeCall(IInferenceCoordinator.expire, (e.r)), due)) return;
        _credit(e.r.payer, e.r.token, e.r.maxFee);
        (, uint256 collateral) = priceOf(id, e.claimedAt);
        if (e.status == RequestStatus.Claimed) _credit(e.r.payer, e.r.token, collateral);
        _end(id, RequestStatus.Expired);
    }

    function retryCallback(uint256 seed) external {
        Dice memory dice = Dice(seed);
        if (ids.length == 0) return;
        RequestId id = _pick(dice, FULFILLED);
        for (uint256 i = 0; i < ids.length; ++i) if (entries[ids[i]].undelivered) id = ids[i];
        Request memory r = entries[id].r;
        // Less than callbackGas is not enough even where the consumer would need none.
        bool short = _next(dice, 6) == 0;
        uint256 needed = (uint256(r.callbackGas) * 64) / 63 + 40_000;
        if (r.consumer.code.length > 0 && _next(dice, 3) == 0)
            Consumer(payable(r.consumer)).behave(Consumer.Manner.Accept);
        Answer memory none;
        _prepare(id, none, r.requester);
        bool due = entries[id].undelivered && !short && _takesCall(r.consumer, CALLBACK_GAS);
        bytes memory data = abi.encodeCall(IInferenceCoordinator.retryCallback, (r));
        uint256 gas_ = short ? needed - 1 : 9_000_000;
        (bool done, ) = _call(Act.RetryCallback, _person(dice), address(coordinator), 0, gas_, data, due);
        if (!done) return;
        _calledBack(r.consumer, CALLBACK_GAS);
        entries[id].undelivered = false;
    }

    // ---- money and the world ----

    function bank(uint256 seed) external {
        Dice memory dice = Dice(seed);
        address from = _person(dice);
        address token = _token(dice);
        uint256 act = _next(dice, 4);
        if (act == 0) {
            bool lost = _next(dice, 12) == 0;
            _deposit(from, lost ? address(0) : _account(dice), token, _next(dice, 10_000), !lost);
        } else if (act == 1) {
            _withdraw(dice, from, token);
        } else {
            address consumer = _person(dice);
            uint256 amount = _next(dice, 8) == 0 ? type(uint256).max : _next(dice, 3_000);
            _authorise(from, consumer, token, amount);
        }
    }

    /// @notice What happens around the coordinator: moods, sources, gifts, statements.
    function meddle(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256 act = _next(dice, 4);
        if (act == 0) {
            Consumer consumer = consumers[_next(dice, CONSUMERS)];
            Consumer.Manner manner = Consumer.Manner(_next(dice, uint256(type(Consumer.Manner).max) + 1));
            // The same to the caller, and a failing test's trace does not hold a million steps.
            if (manner == Consumer.Manner.BurnGas) manner = Consumer.Manner.Invalid;
            consumer.behave(manner);
            held[address(consumer)] = _next(dice, 3);
            vm.deal(address(consumer), held[address(consumer)]);
        } else if (act == 1) {
            (feedWord, feedBroken) = (bytes32(dice.state), _next(dice, 4) == 0);
            feed.set(feedWord, feedBroken);
        } else if (act == 2) {
            address token = tokens[1 + _next(dice, 2)];
            uint256 amount = _next(dice, 100);
            SilentToken(token).mint(address(coordinator), amount);
            donated[token] += amount;
        } else {
            address from = _person(dice);
            bytes32 statement = _next(dice, 4) == 0 ? bytes32(0) : bytes32(dice.state);
            bytes memory data = abi.encodeCall(IInferenceCoordinator.declareEnvironment, (statement));
            if (_call(Act.DeclareEnvironment, from, data, true)) environment[from] = statement;
        }
    }

    /// @notice Time passes, often to one second before, at or after a moment that matters to a request.
    function wait(uint256 seed) external {
        Dice memory dice = Dice(seed);
        vm.roll(block.number + 1 + _next(dice, 3));
        uint256 time = block.timestamp + _next(dice, 20);
        if (ids.length > 0 && _next(dice, 2) == 0) {
            uint256 which = _next(dice, 6);
            Entry memory e = entries[_pick(dice, which > 3 ? CLAIMED : OPEN | CLAIMED)];
            uint256 moment = e.r.start;
            if (which == 1) moment = e.r.rampEnd;
            if (which == 2) moment = e.r.deadline;
            if (which == 3 && Spec.lastClaim(e.r) > 0) moment = uint256(Spec.lastClaim(e.r));
            if (which > 3) moment = Spec.claimEnd(e.r, e.claimedAt);
            moment += _next(dice, 3);
            if (moment > block.timestamp + 1 && moment < block.timestamp + 1 days) time = moment - 1;
        }
        vm.warp(time);
    }

    // ---- parts: asking ----

    /// @dev A request that might be made now, and often can: every fifth is spoilt somewhere.
    function _draft(Dice memory dice) private returns (Request memory r, bytes memory sent, bytes memory input) {
        r.model = models[_next(dice, _next(dice, 3) == 0 ? models.length : 4)];
        Policy memory policy = policies[r.model];
        r.requester = _person(dice);
        r.payer = _payer(dice, r.requester);
        uint256 who = _next(dice, 6);
        if (who < 2) r.consumer = address(consumers[who]);
        if (who == 2 && _next(dice, 4) == 0) r.consumer = _person(dice);
        if (_next(dice, 4) == 0) r.prover = _person(dice);
        r.token = _token(dice);
        uint256 most = _next(dice, 12) == 0 ? type(uint96).max : 1_500;
        r.maxFee = uint96(_next(dice, 12) == 0 ? most : _next(dice, most));
        r.minFee = uint96(_next(dice, uint256(r.maxFee) + 1));
        if (_next(dice, 2) == 0) r.minCollateral = uint96(_next(dice, 1_000));
        uint256 time = block.timestamp;
        uint256 start = _next(dice, 2) == 0 ? time - _next(dice, 50) : time + _next(dice, 50);
        (r.start, r.rampEnd) = (uint32(start), uint32(start + _next(dice, 100)));
        r.deadline = uint32((r.rampEnd > time ? r.rampEnd : time + 1) + _next(dice, 400));
        r.submitBy = uint32(time + _next(dice, 2));
        uint256 longest = (uint256(r.deadline) - (start > time ? start : time)) / 2;
        r.claimPeriod = uint32(_next(dice, 8) == 0 ? longest : _next(dice, longest / 2 + 1));
        if (_next(dice, 24) == 0) r.claimPeriod = type(uint32).max;
        r.callbackGas = _next(dice, 4) == 0 ? 0 : CALLBACK_GAS;
        r.allowDevelopmentKeys = policy.development || _next(dice, 2) == 0;
        r.nonce = ++nonce;
        do r.inputKind = InputKind(_next(dice, 4)); while (policy.inputKinds & (1 << uint8(r.inputKind)) == 0);
        r.requiredEvidence = uint32(_next(dice, 2)) | (r.inputKind == InputKind.Source ? 16 : 0);

        input = _bytes(dice, policy.inputLength);
        if (_next(dice, 24) == 0) input = _bytes(dice, policy.inputLength - 1);
        if (r.inputKind == InputKind.Data) {
            (sent, r.inputHash) = (input, keccak256(input));
        } else if (r.inputKind == InputKind.Source) {
            bytes memory query = _bytes(dice, _next(dice, 40));
            sent = abi.encode(feed, query);
            input = feedBroken ? bytes("broken") : abi.encodePacked(feedWord, keccak256(query));
        } else {
            sent = _bytes(dice, _next(dice, 16) == 0 ? 2_048 : _next(dice, 60));
            r.inputHash = keccak256(input);
            if (r.inputKind == InputKind.Private) {
                (input, r.inputHash) = ("", bytes32(_next(dice, _next(dice, 8) == 0 ? 5 : Spec.R)));
            }
        }
        if (r.inputKind != InputKind.Data) r.originHash = keccak256(sent);
        if (_next(dice, 6) == 0) sent = _spoil(dice, r, sent);
    }

    /// @dev The requester, or somebody else, who mostly authorised the requester.
    function _payer(Dice memory dice, address requester) private view returns (address payer) {
        if (_next(dice, 2) == 0) return requester;
        payer = _person(dice);
        if (_next(dice, 4) == 0) return payer;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            for (uint256 j = 0; j < 3; ++j) if (allowance[people[i]][requester][tokens[j]] > 0) payer = people[i];
        }
    }

    /// @dev Most of what makes a request one that must be refused, and the last that must not be.
    function _spoil(Dice memory dice, Request memory r, bytes memory sent) private view returns (bytes memory) {
        uint256 which = _next(dice, 20);
        uint32 time = uint32(block.timestamp);
        if (which == 0) r.submitBy = time - 1;
        if (which == 1) (r.start, r.rampEnd, r.deadline) = (time, time, time);
        if (which == 2) r.deadline = time + 180 days + 1;
        if (which == 3) r.deadline = time + 180 days;
        if (which == 4) r.start = r.rampEnd + 1;
        if (which == 5) r.rampEnd = r.deadline + 1;
        if (which == 6) r.minFee = r.maxFee + (r.maxFee == type(uint96).max ? 0 : 1);
        if (which == 7) r.payer = address(0);
        if (which == 8) r.readAt = uint40(block.number);
        if (which == 9) r.callbackGas = 10_000_001;
        if (which == 10) r.requiredEvidence |= uint32(1 << (1 + _next(dice, 31)));
        if (which == 11) r.allowDevelopmentKeys = false;
        if (which == 12) r.inputKind = InputKind(_next(dice, 4));
        if (which == 13) r.inputHash = bytes32(uint256(r.inputHash) ^ (1 << _next(dice, 256)));
        if (which == 14) r.originHash = bytes32(uint256(r.originHash) ^ (1 << _next(dice, 256)));
        if (which == 15) r.model = ModelId.wrap(keccak256("unknown"));
        if (which == 16) r.inputHash = bytes32(Spec.R);
        if (which == 17 && r.inputKind != InputKind.Source) {
            sent = _bytes(dice, 2_049);
            r.originHash = keccak256(sent);
        }
        if (which == 18) (r.start, r.rampEnd, r.deadline) = (time + 1, time + 1, time + 1);
        return sent;
    }

    /// @dev Whether the documents let a request be made now.
    function _termsHold(Request memory r, bytes memory sent) private view returns (bool) {
        Policy memory policy = policies[r.model];
        uint256 time = block.timestamp;
        if (r.submitBy < time || r.deadline <= time || r.deadline > time + 15_552_000) return false;
        if (r.start > r.rampEnd || r.rampEnd > r.deadline || r.minFee > r.maxFee) return false;
        if (r.payer == address(0) || r.readAt > 0 || r.callbackGas > 10_000_000) return false;
        bool isSource = r.inputKind == InputKind.Source;
        uint256 evidence = r.requiredEvidence;
        if (evidence != 0 && evidence != 1 && !(isSource && (evidence == 16 || evidence == 17))) return false;
        if (policy.rest == 0 || policy.retired || (policy.development && !r.allowDevelopmentKeys)) return false;
        if ((policy.inputKinds >> uint8(r.inputKind)) % 2 == 0) return false;
        if (r.inputKind == InputKind.Data) {
            return r.originHash == 0 && r.inputHash == keccak256(sent) && sent.length == policy.inputLength;
        }
        if (r.originHash != keccak256(sent)) return false;
        if (isSource) return r.inputHash == 0 && !feedBroken && policy.inputLength == 64;
        return sent.length < 2_049 && (r.inputKind == InputKind.Reference || uint256(r.inputHash) < Spec.R);
    }

    /// @dev The request as it is stored if it is made in this block.
    function _made(Request memory r, bytes memory input) private view returns (Request memory made) {
        made = abi.decode(abi.encode(r), (Request));
        if (r.inputKind == InputKind.Source) (made.inputHash, made.readAt) = (keccak256(input), uint40(block.number));
    }

    function _open(Request memory r, bytes memory sent, bytes memory input, bytes memory result) private {
        Request memory made = _made(r, input);
        RequestId id = _idOf(made);
        _expect(abi.decode(result, (bytes32)) == RequestId.unwrap(id), "a request has another id");
        used[id] = true;
        ids.push(id);
        Entry storage e = entries[id];
        (e.r, e.sent, e.input, e.status) = (made, sent, input, RequestStatus.Open);
    }

    function _sign(uint256 person, RequestId id) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(person), RequestId.unwrap(id));
        return abi.encodePacked(r, s, v);
    }

    // ---- parts: answering ----

    function _inTime(Request memory r) private view returns (bool) {
        return r.start <= block.timestamp && block.timestamp <= r.deadline;
    }

    /// @dev A request with such a status, and one that may be answered now if there is one.
    function _pickInTime(Dice memory dice, uint256 mask) private view returns (RequestId id) {
        id = _pick(dice, mask);
        uint256 first = _next(dice, ids.length);
        if (_next(dice, 8) == 0) return id;
        for (uint256 i = 0; i < ids.length; ++i) {
            RequestId other = ids[(first + i) % ids.length];
            if (mask & (1 << uint256(entries[other].status)) != 0 && _inTime(entries[other].r)) return other;
        }
    }

    function _claimable(RequestId id) private view returns (bool) {
        Request memory r = entries[id].r;
        return r.claimPeriod > 0 && _inTime(r) && int256(block.timestamp) <= Spec.lastClaim(r);
    }

    function _suits(Request memory r, address prover) private pure returns (bool) {
        return r.prover == address(0) || prover == r.prover;
    }

    function _waits(RequestId id) private view returns (bool) {
        return _is(id, RequestStatus.Open) || _is(id, RequestStatus.Claimed);
    }

    function _ranOut(RequestId id) private view returns (bool) {
        Entry memory e = entries[id];
        return e.status == RequestStatus.Claimed && block.timestamp > Spec.claimEnd(e.r, e.claimedAt);
    }

    function _mayFulfil(RequestId id, address prover) private view returns (bool) {
        Entry memory e = entries[id];
        if (!_waits(id) || prover == address(0) || !_suits(e.r, prover) || !_inTime(e.r)) return false;
        return e.status == RequestStatus.Open || prover == e.claimer || _ranOut(id);
    }

    /// @dev Mostly somebody who may.
    function _prover(Dice memory dice, RequestId id) private view returns (address) {
        Entry memory e = entries[id];
        uint256 slip = _next(dice, 16);
        if (slip == 0) return address(0);
        if (slip > 3 && e.r.prover != address(0)) return e.r.prover;
        if (slip > 3 && e.status == RequestStatus.Claimed && !_ranOut(id)) return e.claimer;
        return _person(dice);
    }

    /// @dev An answer, and whether it is true.
    function _answer(
        Dice memory dice,
        RequestId id,
        address prover
    ) private view returns (Answer memory answer, bool truth) {
        Entry memory e = entries[id];
        bool isPrivate = e.r.inputKind == InputKind.Private;
        // A Reference may promise an input that does not exist.
        truth = isPrivate || (e.input.length == policies[e.r.model].inputLength && keccak256(e.input) == e.r.inputHash);
        uint256 lie = _next(dice, 5) == 0 ? _next(dice, 13) : 99;
        uint256 length = policies[e.r.model].outputLength;
        if (lie == 0) length = length + 1 - 2 * _next(dice, 2);
        (answer.input, answer.output) = (e.input, _bytes(dice, length));
        answer.c = isPrivate ? uint256(e.r.inputHash) : _next(dice, Spec.R);
        if (lie == 1) answer.c = addmod(answer.c, 1, Spec.R); // proven, but of another private input
        Request memory r = abi.decode(abi.encode(e.r), (Request));
        if (lie == 2) ++r.nonce;
        if (lie == 3) r.model = _otherModel(r.model);
        address who = lie == 4 ? people[(uint160(prover) + _next(dice, 4)) % PEOPLE] : prover;
        uint256 a = 1 + _next(dice, Spec.R - 1);
        answer.proof = scene.prove(r, answer.input, answer.output, answer.c, who, a);
        uint256 word = _next(dice, 8);
        if (lie == 5) answer.proof[word] ^= 1 << _next(dice, 254);
        if (lie == 6) answer.proof[word] += Q;
        if (lie == 7) answer.c += Spec.R;
        if (lie == 8) answer.c = addmod(answer.c, 1 + _next(dice, Spec.R - 1), Spec.R);
        if (lie == 9) answer.output[_next(dice, length)] ^= bytes1(uint8(1 << _next(dice, 8)));
        if (lie == 10) answer.input = bytes.concat(answer.input, hex"00");
        if (lie == 11 && !isPrivate) answer.input[_next(dice, answer.input.length)] ^= 0x01;
        // Also true: the same proof with A and B negated.
        if (lie == 12) {
            (answer.proof[1], answer.proof[4]) = (Q - answer.proof[1], Q - answer.proof[4]);
            answer.proof[5] = Q - answer.proof[5];
        }
        bool harmless = lie > 11 || (lie == 1 && !isPrivate) || (lie == 11 && isPrivate) || (lie == 4 && who == prover);
        truth = truth && harmless;
    }

    function _otherModel(ModelId model) private view returns (ModelId) {
        return ModelId.unwrap(model) == ModelId.unwrap(models[0]) ? models[1] : models[0];
    }

    /// @dev One to six, of one model; the last may be the first again.
    function _pickBatch(Dice memory dice) private view returns (RequestId[] memory batch) {
        RequestId first = _pickInTime(dice, OPEN | CLAIMED);
        ModelId model = entries[first].r.model;
        RequestId[] memory found = new RequestId[](6);
        found[0] = first;
        uint256 count = 1;
        uint256 most = 1 + _next(dice, 6);
        for (uint256 i = 0; i < ids.length && count < most; ++i) {
            bool same = ModelId.unwrap(entries[ids[i]].r.model) == ModelId.unwrap(model);
            if (!same || RequestId.unwrap(ids[i]) == RequestId.unwrap(first)) continue;
            if (_waits(ids[i]) || _next(dice, 4) == 0) found[count++] = ids[i];
        }
        if (count < 6 && _next(dice, 4) == 0) found[count++] = first;
        batch = new RequestId[](count);
        for (uint256 i = 0; i < count; ++i) batch[i] = found[i];
    }

    /// @dev A true answer came in time: who gets what, and what the result is, for ever.
    function _settle(RequestId id, bytes memory output, address prover) private {
        Entry storage e = entries[id];
        Request memory r = e.r;
        Policy memory policy = policies[r.model];
        bool claimed = e.status == RequestStatus.Claimed;
        (uint256 price, uint256 collateral) = priceOf(id, claimed ? e.claimedAt : block.timestamp);
        uint256 royalty = (price * policy.royaltyBps) / 10_000;
        _credit(ownerships[policy.series].owner, r.token, royalty);
        _credit(prover, r.token, price - royalty);
        _credit(r.payer, r.token, r.maxFee - price);
        if (claimed) {
            uint256 forfeited = _ranOut(id) ? collateral / 2 : 0;
            _credit(r.payer, r.token, forfeited);
            _credit(prover, r.token, collateral - forfeited);
        }
        uint256 evidence = 1 + (policy.development ? 8 : 0) + (r.inputKind == InputKind.Source ? 16 : 0);
        Result memory result = Result({
            output: output,
            model: r.model,
            prover: prover,
            evidence: uint32(evidence),
            fulfilledAt: uint64(block.timestamp),
            environment: environment[prover]
        });
        e.result = keccak256(abi.encode(result));
        _end(id, RequestStatus.Fulfilled);
    }

    /// @dev A consumer that re-enters tries to have the same request answered, ended and delivered once more, and withdraws.
    function _prepare(RequestId id, Answer memory answer, address prover) private {
        Request memory r = entries[id].r;
        if (r.consumer.code.length == 0) return;
        Consumer consumer = Consumer(payable(r.consumer));
        if (consumer.manner() != Consumer.Manner.Reenter) return;
        Consumer.Call[] memory calls = new Consumer.Call[](5);
        calls[0].data = abi.encodeCall(ILedger.withdraw, (address(0), r.consumer, 1));
        calls[1].data = abi.encodeCall(IInferenceCoordinator.fulfil, (r, answer, prover));
        calls[2].data = abi.encodeCall(IInferenceCoordinator.expire, (r));
        calls[3].data = abi.encodeCall(IInferenceCoordinator.retryCallback, (r));
        calls[4].data = abi.encodeCall(IInferenceCoordinator.claim, (r));
        for (uint256 i = 0; i < 5; ++i) calls[i].to = address(coordinator);
        consumer.prepare(calls);
    }

    function _takesCall(address consumer, uint256 gas_) private view returns (bool) {
        if (gas_ == 0 || consumer.code.length == 0) return false;
        Consumer.Manner manner = Consumer(payable(consumer)).manner();
        if (manner == Consumer.Manner.Accept || manner == Consumer.Manner.ReturnBomb) return true;
        return manner == Consumer.Manner.Reenter || manner == Consumer.Manner.SelfDestruct;
    }

    /// @dev Books what a consumer did when it was called, and says whether it took the call.
    function _calledBack(address consumer, uint256 gas_) private returns (bool taken) {
        taken = _takesCall(consumer, gas_);
        if (!taken) return false;
        Consumer.Manner manner = Consumer(payable(consumer)).manner();
        if (manner == Consumer.Manner.SelfDestruct) {
            donated[address(0)] += held[consumer];
            held[consumer] = 0;
        }
        if (manner == Consumer.Manner.Reenter) {
            bool withdrew = balance[consumer][address(0)] > 0;
            if (withdrew) --balance[consumer][address(0)];
            if (withdrew) ++held[consumer];
            _expect(Consumer(payable(consumer)).succeeded(0) == withdrew, "a consumer's withdrawal went otherwise");
            for (uint256 i = 1; i < 5; ++i) {
                _expect(!Consumer(payable(consumer)).succeeded(i), "a consumer re-entered");
            }
        }
    }

    // ---- parts: money ----

    function _deposit(address from, address account, address token, uint256 amount, bool due) private {
        uint256 value = token == address(0) ? amount : 0;
        if (token != address(0)) _fund(from, token, amount);
        bytes memory data = abi.encodeCall(ILedger.deposit, (token, account, amount));
        (bool done, ) = _call(Act.Deposit, from, address(coordinator), value, 1_000_000, data, due);
        if (done) _credit(account, token, amount);
    }

    function _authorise(address from, address consumer, address token, uint256 amount) private {
        bytes memory data = abi.encodeCall(ILedger.authorise, (consumer, token, amount));
        if (_call(Act.Authorise, from, data, true)) allowance[from][consumer][token] = amount;
    }

    function _account(Dice memory dice) private view returns (address) {
        return _next(dice, 6) == 0 ? address(consumers[_next(dice, CONSUMERS)]) : _person(dice);
    }

    function _withdraw(Dice memory dice, address from, address token) private {
        uint256 mine = balance[from][token];
        uint256 amount = _next(dice, 3) == 0 ? mine : _next(dice, mine + 2);
        if (_next(dice, 16) == 0) amount = mine + 1;
        address to = _next(dice, 12) == 0 ? address(0) : _person(dice);
        bool all = _next(dice, 6) == 0;
        if (all) amount = mine;
        bool due = amount > 0 && amount <= mine && to != address(0);
        uint256 before = _wallet(to, token);
        bytes memory data = abi.encodeCall(ILedger.withdraw, (token, to, all ? type(uint256).max : amount));
        if (!_call(Act.Withdraw, from, data, due)) return;
        balance[from][token] -= amount;
        _expect(_wallet(to, token) == before + amount, "a withdrawal did not arrive");
    }

    function _wallet(address account, address token) private view returns (uint256) {
        return token == address(0) ? account.balance : SilentToken(token).balanceOf(account);
    }

    /// @dev Random to the 64th byte, zero from there on.
    function _bytes(Dice memory dice, uint256 length) private pure returns (bytes memory data) {
        _next(dice, 1);
        bytes memory start = abi.encode(dice.state, ~dice.state);
        data = new bytes(length);
        for (uint256 i = 0; i < length && i < 64; ++i) data[i] = start[i];
    }
}
