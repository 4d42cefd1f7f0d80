// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceConsumer} from "./InferenceConsumer.sol";
import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {ModelId} from "./types/Model.sol";
import {Payment, Request, RequestId} from "./types/Request.sol";

/// @title Asks a model once in each interval, and keeps the last answers
/// @notice One contract is one schedule, made by its owner. Its funds are its account at the coordinator: anybody may deposit
/// there, and fees that were not spent come back there by themselves. Whoever calls {trigger} first in an interval gets the
/// bounty. Intervals lie on a grid that is fixed by `start`: a late call does not move those after it, and an interval
/// that nobody used is over, without a bounty that waits.
/// Whoever triggers chooses the second within the interval at which a source is read: let it read what a second does not
/// change much, such as means over time.
contract ScheduledInference is InferenceConsumer {
    struct Plan {
        ModelId model;
        /// Where the input is read ({IInputSource}), each time; zero for the same input each time.
        address source;
        /// The query to the source, or the input.
        bytes data;
        /// Of fees and bounty; zero for the native coin.
        address token;
        /// The price rises from minFee to maxFee within `ramp` seconds of the trigger.
        uint96 minFee;
        uint96 maxFee;
        uint96 minCollateral;
        uint96 bounty;
        /// First second of interval 0.
        uint32 start;
        /// Seconds.
        uint32 interval;
        uint32 ramp;
        /// Seconds after the trigger within which an answer must come.
        uint32 window;
        uint32 claimPeriod;
        /// How many answers are kept.
        uint16 kept;
        /// Whether a model with a development key will do.
        bool allowDevelopmentKeys;
    }

    struct Run {
        RequestId request;
        uint40 interval;
        /// When the request was made, and its source read.
        uint40 triggeredAt;
        uint40 answeredAt;
        /// The output, followed by zeros; its keccak256 if it is longer than 32 bytes.
        bytes32 output;
    }

    event Triggered(uint256 indexed interval, RequestId indexed request, address indexed by);
    event Answered(uint256 indexed interval, RequestId indexed request, bytes output);
    event Stopped();

    error PlanInvalid();
    error NotStarted(uint256 start, uint256 time);
    error ScheduleStopped(uint256 time);
    error AlreadyTriggered(uint256 interval);
    error FundsTooLow(uint256 balance, uint256 needed);
    error CallerIsNotOwner(address caller);
    error NothingAnswered();
    error NotKept(uint256 interval);

    uint256 public constant MAX_KEPT = 256;

    address public immutable owner;

    Plan private _plan;
    /// @notice Runs so far, and how many of them were answered.
    uint32 public triggered;
    uint32 public answered;
    /// @dev One above the last interval that was triggered; that was answered.
    uint40 private _triggeredEnd;
    uint40 private _answeredEnd;
    /// @notice Zero while it runs.
    uint40 public stoppedAt;
    /// @dev The run of interval n is at n modulo `kept`, from its answer on.
    mapping(uint256 position => Run) private _runs;

    constructor(IInferenceCoordinator coordinator_, Plan memory plan_) InferenceConsumer(coordinator_) {
        bool inBounds = plan_.kept > 0 && plan_.kept <= MAX_KEPT && plan_.interval > 0 && plan_.window > 0;
        bool inOrder = plan_.minFee <= plan_.maxFee && plan_.ramp <= plan_.window;
        require(inBounds && inOrder, PlanInvalid());
        coordinator_.registry().headOf(plan_.model); // reverts if there is no such model
        owner = msg.sender;
        _plan = plan_;
    }

    modifier onlyOwner() {
        require(msg.sender == owner, CallerIsNotOwner(msg.sender));
        _;
    }

    /// @notice Makes the request of the current interval, and pays the bounty to the caller. Once per interval.
    function trigger() external returns (RequestId id) {
        Plan memory p = _plan;
        uint256 interval = current();
        require(stoppedAt == 0, ScheduleStopped(stoppedAt));
        require(interval >= _triggeredEnd, AlreadyTriggered(interval));
        uint256 balance = coordinator.balanceOf(address(this), p.token);
        uint256 needed = uint256(p.maxFee) + p.bounty;
        require(balance >= needed, FundsTooLow(balance, needed));

        _triggeredEnd = uint40(interval + 1);
        ++triggered;
        Request memory r = _draft(p.model, p.maxFee, p.window);
        r.token = p.token;
        r.minFee = p.minFee;
        r.minCollateral = p.minCollateral;
        r.rampEnd = r.start + p.ramp;
        r.claimPeriod = p.claimPeriod;
        r.allowDevelopmentKeys = p.allowDevelopmentKeys;
        bytes memory input = p.source == address(0) ? p.data : _readFrom(r, p.source, p.data);
        id = _ask(r, input, Payment.Account, uint248((interval << 40) | block.timestamp));
        emit Triggered(interval, id, msg.sender);
        if (p.bounty > 0) coordinator.withdraw(p.token, msg.sender, p.bounty);
    }

    /// @notice Ends the schedule. Requests that were made are still answered and kept.
    function stop() external onlyOwner {
        require(stoppedAt == 0, ScheduleStopped(stoppedAt));
        stoppedAt = uint40(block.timestamp);
        emit Stopped();
    }

    /// @notice Pays `amount` of the schedule's funds to `to`; all of them for type(uint256).max.
    function withdraw(address token, address to, uint256 amount) external onlyOwner {
        coordinator.withdraw(token, to, amount);
    }

    function plan() external view returns (Plan memory) {
        return _plan;
    }

    /// @notice The answered run of the latest interval. Check its age: that of the question, `triggeredAt`, is what counts.
    function latest() external view returns (Run memory) {
        require(_answeredEnd > 0, NothingAnswered());
        return _runs[(_answeredEnd - 1) % _plan.kept];
    }

    /// @notice The answered run of an interval. Reverts if it was missed, is not answered, or too long ago.
    function runOf(uint256 interval) external view returns (Run memory run) {
        run = _runs[interval % _plan.kept];
        require(RequestId.unwrap(run.request) != 0 && run.interval == interval, NotKept(interval));
    }

    /// @notice How many intervals ended without a run.
    function missed() external view returns (uint256) {
        uint256 end = stoppedAt == 0 ? block.timestamp : stoppedAt;
        if (end < _plan.start) return 0;
        uint256 ended = (end - _plan.start) / _plan.interval;
        return ended - (_triggeredEnd > ended ? triggered - 1 : triggered);
    }

    /// @notice How many runs have no answer, yet or for ever.
    function unanswered() external view returns (uint256) {
        return triggered - answered;
    }

    /// @notice The interval of this second, from 0.
    function current() public view returns (uint256) {
        require(block.timestamp >= _plan.start, NotStarted(_plan.start, block.timestamp));
        return (block.timestamp - _plan.start) / _plan.interval;
    }

    function _onAnswer(RequestId id, uint248 context, bytes calldata output) internal override {
        (uint256 interval, uint40 triggeredAt) = (context >> 40, uint40(context));
        ++answered;
        emit Answered(interval, id, output);
        Run storage run = _runs[interval % _plan.kept];
        if (run.interval > interval) return; // too late for the ring
        bytes32 kept = output.length > 32 ? keccak256(output) : bytes32(output);
        (run.request, run.interval, run.output) = (id, uint40(interval), kept);
        (run.triggeredAt, run.answeredAt) = (triggeredAt, uint40(block.timestamp));
        if (interval >= _answeredEnd) _answeredEnd = uint40(interval + 1);
    }
}
