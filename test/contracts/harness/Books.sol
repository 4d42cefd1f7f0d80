// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceCoordinator} from "../../../contracts/InferenceCoordinator.sol";
import {ModelRegistry} from "../../../contracts/ModelRegistry.sol";
import {ModelId, SeriesId} from "../../../contracts/types/Model.sol";
import {Request, RequestId, RequestStatus} from "../../../contracts/types/Request.sol";
import {Consumer} from "./Consumers.sol";
import {Feed, Scene} from "./Scene.sol";
import {Spec} from "./Spec.sol";
import {SilentToken} from "./Tokens.sol";
import {vm} from "./Vm.sol";

/// @notice Numbers that follow from a seed.
struct Dice {
    uint256 state;
}

/// @notice Everything that the crowd does; each is counted by how it went.
enum Act {
    RequestDirect,
    RequestFromAccount,
    RequestAgain,
    RequestSigned,
    Revoke,
    Cancel,
    Claim,
    FulfilOpen,
    FulfilClaimed,
    FulfilForfeited,
    FulfilBatch,
    Expire,
    RetryCallback,
    Deposit,
    Withdraw,
    Authorise,
    DeclareEnvironment,
    OfferSeries,
    AcceptSeries,
    Deprecate,
    Retire,
    Register
}

/// @notice The books of a crowd: what it knows of every account, request and model from what it did, by the documents'
/// rules, never from what the contracts say. How a call must go follows from them.
abstract contract Books {
    struct Entry {
        Request r;
        /// What the request was called with, and what an answer has to bring.
        bytes sent;
        bytes input;
        RequestStatus status;
        address claimer;
        uint256 claimedAt;
        /// How often the request ended.
        uint256 endings;
        /// Set only by a fulfilment with a true proof: keccak256 of the encoded {Result}.
        bytes32 result;
        bool undelivered;
    }

    struct Policy {
        SeriesId series;
        uint256 inputLength;
        uint256 outputLength;
        bool development;
        uint8 inputKinds;
        uint256 collateralBps;
        uint256 royaltyBps;
        ModelId successor;
        bool retired;
        /// keccak256 of the registry's record but for the successor and `retired`.
        bytes32 rest;
    }

    struct Ownership {
        address owner;
        address pending;
        uint8 keyKinds;
    }

    uint256 public constant PEOPLE = 5;
    uint256 internal constant CONSUMERS = 2;

    Scene public immutable scene;
    InferenceCoordinator public immutable coordinator;
    ModelRegistry public immutable registry;
    Feed internal immutable feed;
    Consumer[CONSUMERS] public consumers;
    address[PEOPLE] internal people;
    /// @notice The native coin, one that returns what ERC-20 says, and one that returns nothing.
    address[3] public tokens;

    RequestId[] public ids;
    mapping(RequestId => Entry) internal entries;
    /// @notice Ids that can not be made any more: made, revoked, or signed for a Source that was read.
    mapping(RequestId => bool) internal used;
    mapping(address account => mapping(address token => uint256)) public balance;
    mapping(address account => mapping(address consumer => mapping(address token => uint256))) public allowance;
    /// @notice What was sent to the coordinator behind its back.
    mapping(address token => uint256) public donated;
    mapping(address prover => bytes32) internal environment;
    ModelId[] public models;
    mapping(ModelId => Policy) internal policies;
    SeriesId[] public series;
    mapping(SeriesId => Ownership) internal ownerships;
    mapping(SeriesId => ModelId[]) public versions;

    /// @notice By act, how many calls succeeded and how many were refused, each as foreseen.
    uint256[2][22] public counts;
    /// @notice Calls that went otherwise than the books say.
    uint256 public surprises;
    string public lastSurprise;

    constructor(Scene scene_) {
        scene = scene_;
        (coordinator, registry, feed) = (scene_.coordinator(), scene_.registry(), scene_.feed());
        tokens = [address(0), address(scene_.plain()), address(scene_.silent())];
        for (uint256 i = 0; i < CONSUMERS; ++i) consumers[i] = new Consumer();
        for (uint256 i = 0; i < PEOPLE; ++i) people[i] = vm.addr(keyOf(i));
        for (uint256 i = 0; i < 2; ++i) {
            series.push(scene_.series(i));
            ownerships[series[i]] = Ownership(scene_.publisher(), address(0), i == 0 ? 3 : 2);
        }
    }

    // ---- for the invariants ----

    function requestCount() external view returns (uint256) {
        return ids.length;
    }

    function entryOf(RequestId id) external view returns (Entry memory) {
        return entries[id];
    }

    function policyOf(ModelId model) external view returns (Policy memory) {
        return policies[model];
    }

    function ownershipOf(SeriesId id) external view returns (Ownership memory) {
        return ownerships[id];
    }

    function versionCount(SeriesId id) external view returns (uint256) {
        return versions[id].length;
    }

    function modelCount() external view returns (uint256) {
        return models.length;
    }

    function names() public pure returns (string[22] memory) {
        return
            [
                "request paid directly",
                "request paid from an account",
                "request made again",
                "signed request",
                "signature revoked",
                "cancel",
                "claim",
                "fulfil open",
                "fulfil claimed",
                "fulfil after a claim ran out",
                "fulfil a batch",
                "expire",
                "retry a callback",
                "deposit",
                "withdraw",
                "authorise",
                "declare an environment",
                "offer a series",
                "accept a series",
                "deprecate",
                "retire",
                "register"
            ];
    }

    /// @notice Everybody who may have a balance: the people, then the consumers.
    function accounts() public view returns (address[] memory all) {
        all = new address[](PEOPLE + CONSUMERS);
        for (uint256 i = 0; i < PEOPLE; ++i) all[i] = people[i];
        for (uint256 i = 0; i < CONSUMERS; ++i) all[PEOPLE + i] = address(consumers[i]);
    }

    // ---- acting ----

    /// @dev The people's private keys; the last of them is the publisher at first.
    function keyOf(uint256 person) internal view returns (uint256) {
        return person == PEOPLE - 1 ? scene.PUBLISHER_KEY() : 0xA11CE + person;
    }

    function _next(Dice memory dice, uint256 faces) internal pure returns (uint256) {
        dice.state = uint256(keccak256(abi.encode(dice.state)));
        return dice.state % faces;
    }

    function _person(Dice memory dice) internal view returns (address) {
        return people[_next(dice, PEOPLE)];
    }

    function _token(Dice memory dice) internal view returns (address) {
        return tokens[_next(dice, 3)];
    }

    /// @dev Calls in the name of `from`, and counts whether it went as `due` says. A refusal must have a reason: neither
    /// silence nor a panic is one.
    function _call(
        Act act,
        address from,
        address to,
        uint256 value,
        uint256 gas_,
        bytes memory data,
        bool due
    ) internal returns (bool done, bytes memory result) {
        if (value > 0) vm.deal(from, from.balance + value);
        vm.prank(from);
        result = new bytes(32);
        // Memory: reads data; writes the first word of what is returned to result's. The rest is not copied: it may be huge.
        assembly ("memory-safe") {
            done := call(gas_, to, value, add(data, 0x20), mload(data), add(result, 0x20), 0x20)
            if lt(returndatasize(), 0x20) {
                mstore(result, returndatasize())
            }
        }
        bool reasoned = done || act == Act.RetryCallback || (result.length >= 4 && bytes4(result) != 0x4e487b71);
        if (done == due && reasoned) ++counts[uint256(act)][done ? 0 : 1];
        else _expect(false, string.concat(names()[uint256(act)], done ? " succeeded" : " was refused"));
    }

    function _call(Act act, address from, bytes memory data, bool due) internal returns (bool done) {
        (done, ) = _call(act, from, address(coordinator), 0, 15_000_000, data, due);
    }

    /// @dev Requires that what a contract says is what the books say.
    function _expect(bool asExpected, string memory what) internal {
        if (asExpected) return;
        ++surprises;
        lastSurprise = what;
    }

    // ---- money ----

    function _credit(address account, address token, uint256 amount) internal {
        balance[account][token] += amount;
    }

    function _maySpend(address account, address consumer, address token, uint256 amount) internal view returns (bool) {
        bool allowed = account == consumer || allowance[account][consumer][token] >= amount;
        return allowed && balance[account][token] >= amount;
    }

    function _spend(address account, address consumer, address token, uint256 amount) internal {
        balance[account][token] -= amount;
        bool limited = account != consumer && allowance[account][consumer][token] != type(uint256).max;
        if (limited) allowance[account][consumer][token] -= amount;
    }

    /// @dev Gives `account` so much of a token and lets the coordinator take it.
    function _fund(address account, address token, uint256 amount) internal {
        SilentToken(token).mint(account, amount);
        vm.prank(account);
        SilentToken(token).approve(address(coordinator), 0);
        vm.prank(account);
        SilentToken(token).approve(address(coordinator), amount);
    }

    // ---- requests ----

    /// @dev A request whose status is one of `mask`'s bits, if there is one; now and then any.
    function _pick(Dice memory dice, uint256 mask) internal view returns (RequestId id) {
        uint256 first = _next(dice, ids.length);
        id = ids[first];
        if (_next(dice, 8) == 0) return id;
        for (uint256 i = 0; i < ids.length; ++i) {
            RequestId other = ids[(first + i) % ids.length];
            if (mask & (1 << uint256(entries[other].status)) != 0) return other;
        }
    }

    function _is(RequestId id, RequestStatus status) internal view returns (bool) {
        return entries[id].status == status;
    }

    function _idOf(Request memory r) internal view returns (RequestId) {
        return Spec.requestId(r, address(coordinator));
    }

    /// @notice The price at `time`, and the collateral of a claim made then.
    function priceOf(RequestId id, uint256 time) public view returns (uint256 price, uint256 collateral) {
        Request memory r = entries[id].r;
        price = Spec.price(r, time);
        collateral = Spec.collateral(r, price, policies[r.model].collateralBps);
    }

    function _end(RequestId id, RequestStatus status) internal {
        entries[id].status = status;
        ++entries[id].endings;
    }
}
