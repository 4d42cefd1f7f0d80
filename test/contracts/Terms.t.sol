// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceCoordinator} from "../../contracts/InferenceCoordinator.sol";
import {IInferenceCoordinator} from "../../contracts/interfaces/IInferenceCoordinator.sol";
import {ModelId, ModelParams} from "../../contracts/types/Model.sol";
import {Answer, Payment, Request, RequestId, RequestStatus} from "../../contracts/types/Request.sol";
import {Scene} from "./harness/Scene.sol";
import {Spec} from "./harness/Spec.sol";
import {vm} from "./harness/Vm.sol";

/// @notice What a request's terms mean, for any terms: prices and collateral by other formulas, and each border in time at
/// the second before, at it and after, with the exact reason of each refusal and the exact money of each success.
contract TermsTest {
    uint32 private constant NOW = 1_893_456_000;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant PAYER = address(0x9A7E4);

    Scene private scene;
    InferenceCoordinator private coordinator;
    ModelId private model;

    function setUp() external {
        vm.warp(NOW);
        scene = new Scene();
        (coordinator, model) = (scene.coordinator(), scene.models(scene.PLAIN()));
    }

    function testFuzz_priceRisesFromMinFeeToMaxFee(
        uint96[2] calldata fees,
        uint32[2] calldata ramp,
        uint32[2] calldata times
    ) external view {
        Request memory r;
        r.model = model;
        (r.minFee, r.maxFee) = fees[0] < fees[1] ? (fees[0], fees[1]) : (fees[1], fees[0]);
        (r.start, r.rampEnd) = ramp[0] < ramp[1] ? (ramp[0], ramp[1]) : (ramp[1], ramp[0]);
        (uint256 sooner, uint256 later) = times[0] < times[1] ? (times[0], times[1]) : (times[1], times[0]);
        (uint256 first, uint256 last) = (_price(r, sooner), _price(r, later));
        assert(first == Spec.price(r, sooner) && last == Spec.price(r, later));
        assert(r.minFee <= first && first <= last && last <= r.maxFee);
        assert(_price(r, r.start) == (r.start == r.rampEnd ? r.maxFee : r.minFee));
        assert(_price(r, r.rampEnd) == r.maxFee);
        if (r.start > 0 && r.start < r.rampEnd) assert(_price(r, r.start - 1) == r.minFee);
        // Between the two: linear, rounded down.
        uint256 between = uint256(r.start) + (later % (uint256(r.rampEnd) - r.start + 1));
        assert(_price(r, between) == Spec.price(r, between));
    }

    function testFuzz_collateralIsTheMoreOfRequestAndModel(uint96 price, uint96 least, uint16 bps) external {
        ModelParams memory params = scene.paramsAt(scene.PLAIN());
        (params.collateralBps, params.sourceDigest) = (bps, keccak256("of any collateral"));
        Request memory r;
        r.model = scene.register(scene.publisher(), scene.series(1), params, 9);
        (r.minFee, r.maxFee, r.minCollateral) = (price, price, least);
        (, uint256 collateral) = coordinator.quote(r, NOW);
        assert(collateral == Spec.collateral(r, price, bps));
        assert(collateral >= least && collateral * 10_000 + 9_999 >= uint256(price) * bps);
    }

    function testFuzz_requestsAreMadeToSubmitByForADeadlineAhead(uint256 seed, uint24 wait) external {
        Request memory r = _terms(seed);
        r.submitBy = NOW + wait;
        (r.start, r.rampEnd, r.deadline) = (r.start + wait, r.rampEnd + wait, r.deadline + wait);
        uint256 time = NOW + wait;
        vm.warp(time + 1);
        _refuse(r, abi.encodeWithSelector(IInferenceCoordinator.SubmittedTooLate.selector, time, time + 1));
        vm.warp(time);
        Request memory other = _copy(r);
        (other.start, other.rampEnd, other.deadline) = (0, uint32(time), uint32(time));
        _refuse(other, abi.encodeWithSelector(IInferenceCoordinator.DeadlinePassed.selector, time, time));
        other.deadline = uint32(time + 180 days + 1);
        bytes4 far = IInferenceCoordinator.DeadlineTooFar.selector;
        _refuse(other, abi.encodeWithSelector(far, time + 180 days + 1, time + 180 days));
        other.deadline = uint32(time + 180 days);
        _ask(other);
        (other.deadline, other.nonce) = (uint32(time + 1), 2);
        _ask(other);
        _ask(r);
    }

    function testFuzz_answersAreTakenFromStartToDeadline(uint256 seed, uint32 moment) external {
        Request memory r = _terms(seed);
        _ask(r);
        bytes memory act = _answer(r, ALICE);
        _refuseEarlyAndLate(r, act);
        uint256 time = _moment(r.start, r.deadline, moment);
        vm.warp(time);
        uint256 before = _balance(ALICE);
        _do(BOB, act); // whoever sends it
        uint256 price = Spec.price(r, time);
        assert(_balance(ALICE) == before + price - _royalty(price));
        assert(_balance(PAYER) == r.maxFee - price && _balance(scene.publisher()) == _royalty(price));
    }

    function testFuzz_claimsAreTakenWhileTheyLeaveEnoughTime(uint256 seed, uint32 moment) external {
        Request memory r = _claimable(seed);
        _ask(r);
        bytes memory act = abi.encodeCall(IInferenceCoordinator.claim, (r));
        _refuseEarlyAndLate(r, act);
        uint256 last = uint256(Spec.lastClaim(r));
        vm.warp(last + 1);
        bytes4 late = IInferenceCoordinator.ClaimTooLate.selector;
        _refuse(ALICE, act, abi.encodeWithSelector(late, uint256(r.deadline) + 1, r.deadline));
        vm.warp(r.deadline);
        _refuse(ALICE, act, abi.encodeWithSelector(late, 2 * uint256(r.deadline) - last, r.deadline));
        uint256 time = _moment(r.start, last, moment);
        vm.warp(time);
        uint256 before = _balance(ALICE);
        _do(ALICE, act);
        assert(_balance(ALICE) == before - Spec.collateral(r, Spec.price(r, time), 3_000));
    }

    function testFuzz_aClaimKeepsOthersOutToItsEnd(uint256 seed, uint32 moment, uint32 later, uint8 who) external {
        Request memory r = _claimable(seed);
        RequestId id = _ask(r);
        uint256 claimedAt = _moment(r.start, uint256(Spec.lastClaim(r)), moment);
        vm.warp(claimedAt);
        uint256 price = Spec.price(r, claimedAt);
        uint256 collateral = Spec.collateral(r, price, 3_000);
        _do(BOB, abi.encodeCall(IInferenceCoordinator.claim, (r)));
        uint256 end = Spec.claimEnd(r, claimedAt);
        bytes memory excluded = abi.encodeWithSelector(IInferenceCoordinator.ClaimedByOther.selector, id, BOB, end);
        bytes memory byOther = _answer(r, ALICE);
        _refuse(ALICE, byOther, excluded);
        vm.warp(_moment(claimedAt, end, later));
        _refuse(ALICE, byOther, excluded);
        vm.warp(end);
        _refuse(ALICE, byOther, excluded);
        (uint256 alice, uint256 bob) = (_balance(ALICE), _balance(BOB));
        if (who % 3 == 0) {
            _do(ALICE, _answer(r, BOB)); // to the claimer, whoever sends it
            assert(_balance(ALICE) == alice && _balance(BOB) == bob + price - _royalty(price) + collateral);
            assert(_balance(PAYER) == r.maxFee - price);
        } else {
            vm.warp(who % 2 == 0 ? end + 1 : _moment(end + 1, r.deadline, later));
            bool claimer = who % 3 == 1; // is late, too: half of its own collateral is the payer's
            _do(ALICE, claimer ? _answer(r, BOB) : byOther);
            uint256 gain = price - _royalty(price) + collateral - collateral / 2;
            assert(_balance(ALICE) == alice + (claimer ? 0 : gain) && _balance(BOB) == bob + (claimer ? gain : 0));
            assert(_balance(PAYER) == r.maxFee - price + collateral / 2);
        }
        assert(_balance(scene.publisher()) == _royalty(price));
        assert(coordinator.statusOf(r) == RequestStatus.Fulfilled);
    }

    function testFuzz_aRequestExpiresTheSecondAfterItsDeadline(uint256 seed, uint32 moment, bool claimed) external {
        Request memory r = _claimable(seed);
        RequestId id = _ask(r);
        uint256 refund = r.maxFee;
        if (claimed) {
            uint256 time = _moment(r.start, uint256(Spec.lastClaim(r)), moment);
            vm.warp(time);
            _do(BOB, abi.encodeCall(IInferenceCoordinator.claim, (r)));
            refund += Spec.collateral(r, Spec.price(r, time), 3_000);
        }
        bytes memory act = abi.encodeCall(IInferenceCoordinator.expire, (r));
        vm.warp(r.deadline);
        assert(coordinator.statusOf(r) == (claimed ? RequestStatus.Claimed : RequestStatus.Open));
        bytes4 early = IInferenceCoordinator.DeadlineNotPassed.selector;
        _refuse(ALICE, act, abi.encodeWithSelector(early, r.deadline, r.deadline));
        vm.warp(uint256(r.deadline) + 1);
        assert(coordinator.statusOf(r) == RequestStatus.Expired);
        _do(ALICE, act);
        assert(_balance(PAYER) == refund);
        bytes4 ended = IInferenceCoordinator.RequestNotOpen.selector;
        _refuse(ALICE, act, abi.encodeWithSelector(ended, id, RequestStatus.Expired));
    }

    function testFuzz_aRequestIsWithdrawnBeforeItsStart(uint256 seed, uint32 moment) external {
        Request memory r = _terms(seed);
        _ask(r);
        bytes memory act = abi.encodeCall(IInferenceCoordinator.cancel, (r));
        vm.warp(r.start);
        bytes4 started = IInferenceCoordinator.AlreadyStarted.selector;
        _refuse(address(this), act, abi.encodeWithSelector(started, r.start, r.start));
        vm.warp(moment % 2 == 0 ? r.start - 1 : NOW + (moment % (r.start - NOW)));
        bytes4 stranger = IInferenceCoordinator.CallerIsNotRequester.selector;
        _refuse(PAYER, act, abi.encodeWithSelector(stranger, PAYER, address(this)));
        _do(address(this), act);
        assert(_balance(PAYER) == r.maxFee && coordinator.statusOf(r) == RequestStatus.Expired);
    }

    // ---- parts ----

    /// @dev Terms that may be asked for at NOW, of which nothing has started.
    function _terms(uint256 seed) private view returns (Request memory r) {
        seed = uint256(keccak256(abi.encode(seed)));
        r = scene.terms(model, new bytes(64));
        (r.requester, r.payer, r.nonce) = (address(this), PAYER, 1);
        (r.maxFee, r.minCollateral) = (uint96(seed), uint96(seed >> 96) >> uint8((seed >> 192) % 96));
        r.minFee = uint96((seed >> 128) % (uint256(r.maxFee) + 1));
        r.start = NOW + 1 + uint32((seed >> 200) % 1_000);
        r.rampEnd = r.start + uint32((seed >> 210) % 1_000);
        r.deadline = r.rampEnd + 62 + uint32((seed >> 220) % 1_000);
        r.claimPeriod = uint32((seed >> 230) % 1_000);
    }

    /// @dev As {_terms}, with claims taken, from the start on for a while.
    function _claimable(uint256 seed) private view returns (Request memory r) {
        r = _terms(seed);
        uint32 time = r.deadline - r.start;
        r.claimPeriod = 1 + (r.claimPeriod % (time < 120 ? time - 60 : time / 2));
    }

    /// @dev One of the two, or between them.
    function _moment(uint256 first, uint256 last, uint256 seed) private pure returns (uint256) {
        if (seed % 4 == 0) return first;
        return seed % 4 == 1 ? last : first + (seed % (last - first + 1));
    }

    function _copy(Request memory r) private pure returns (Request memory) {
        return abi.decode(abi.encode(r), (Request));
    }

    /// @dev Makes the request, and gives provers what collateral it may take.
    function _ask(Request memory r) private returns (RequestId) {
        vm.deal(address(this), 2 * uint256(type(uint128).max));
        coordinator.deposit{value: type(uint128).max}(address(0), ALICE, type(uint128).max);
        coordinator.deposit{value: type(uint128).max - r.maxFee}(address(0), BOB, type(uint128).max - r.maxFee);
        return coordinator.request{value: r.maxFee}(r, new bytes(64), Payment.Direct);
    }

    function _answer(Request memory r, address prover) private view returns (bytes memory) {
        (bytes memory input, bytes memory output) = (new bytes(64), new bytes(20));
        uint256[8] memory proof = scene.prove(r, input, output, 5, prover, 3);
        return abi.encodeCall(IInferenceCoordinator.fulfil, (r, Answer(input, output, 5, proof), prover));
    }

    function _do(address from, bytes memory data) private {
        vm.prank(from);
        (bool done, bytes memory reason) = address(coordinator).call(data);
        require(done, string(reason));
    }

    function _refuse(address from, bytes memory data, bytes memory expected) private {
        vm.prank(from);
        (bool done, bytes memory reason) = address(coordinator).call(data);
        assert(!done && keccak256(reason) == keccak256(expected));
    }

    function _refuse(Request memory r, bytes memory expected) private {
        vm.deal(address(this), r.maxFee);
        bytes memory data = abi.encodeCall(IInferenceCoordinator.request, (r, new bytes(64), Payment.Direct));
        (bool done, bytes memory reason) = address(coordinator).call{value: r.maxFee}(data);
        assert(!done && keccak256(reason) == keccak256(expected));
    }

    function _refuseEarlyAndLate(Request memory r, bytes memory data) private {
        vm.warp(r.start - 1);
        _refuse(ALICE, data, abi.encodeWithSelector(IInferenceCoordinator.NotStarted.selector, r.start, r.start - 1));
        uint256 late = uint256(r.deadline) + 1;
        vm.warp(late);
        _refuse(ALICE, data, abi.encodeWithSelector(IInferenceCoordinator.DeadlinePassed.selector, r.deadline, late));
    }

    function _price(Request memory r, uint256 time) private view returns (uint256 price) {
        (price, ) = coordinator.quote(r, time);
    }

    function _royalty(uint256 price) private pure returns (uint256) {
        return price / 8; // of 12.5 %
    }

    function _balance(address account) private view returns (uint256) {
        return coordinator.balanceOf(account, address(0));
    }
}
