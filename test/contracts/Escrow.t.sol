// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceCoordinator} from "../../contracts/InferenceCoordinator.sol";
import {ModelId} from "../../contracts/types/Model.sol";
import {Request, RequestId, RequestStatus, Terms} from "../../contracts/types/Request.sol";
import {Scene} from "./harness/Scene.sol";
import {vm} from "./harness/Vm.sol";

/// @notice Does to a coordinator what a few people do in any order, keeps its own books, and never reverts.
contract Crowd {
    Scene private immutable scene;
    InferenceCoordinator private immutable coordinator;

    RequestId[] public ids;
    mapping(RequestId => bytes32) public resultHash;
    mapping(RequestId => uint256) public settlements;
    uint256 public paidIn;
    uint256 public paidOut;
    uint256 public fulfilments;
    uint256 public refunds;
    uint256 public withdrawals;
    uint256 public surprises;
    mapping(RequestId => bytes32) private seeds;

    constructor(Scene scene_) {
        scene = scene_;
        coordinator = scene_.coordinator();
    }

    function request(uint8 who, bytes32 seed, uint96 fee, uint16 window) external {
        address requester = personOf(who);
        uint64 deadline = uint64(block.timestamp) + 1 + window;
        ModelId model = scene.model(); // a call, and so before the prank, which lasts for one
        vm.deal(requester, requester.balance + fee);
        vm.prank(requester);
        RequestId id = coordinator.request{value: fee}(model, inputOf(seed), deadline, Terms(1, false));
        ids.push(id);
        seeds[id] = seed;
        paidIn += fee;
    }

    function fulfil(uint256 which, uint8 who, uint8 sender, bytes20 output, uint256 c) external {
        if (ids.length == 0) return;
        RequestId id = ids[which % ids.length];
        c %= 21888242871839275222246405745257275088548364400416034343698204186575808495617;
        bytes memory input = inputOf(seeds[id]);
        bytes memory out = abi.encodePacked(output);
        address prover = personOf(who);
        uint256[8] memory proof = scene.prove(id, input, out, c, prover, 1 + uint256(who));
        bool open = coordinator.requestOf(id).status == RequestStatus.Open;
        vm.prank(personOf(sender));
        try coordinator.fulfil{gas: 3_000_000}(id, input, out, c, proof, prover) {
            if (!open) ++surprises;
            ++fulfilments;
            ++settlements[id];
            resultHash[id] = keccak256(abi.encode(coordinator.result(id)));
        } catch {
            if (open) ++surprises;
        }
    }

    function refund(uint256 which, uint8 sender) external {
        if (ids.length == 0) return;
        RequestId id = ids[which % ids.length];
        Request memory before = coordinator.requestOf(id);
        bool due = before.status == RequestStatus.Expired && before.fee > 0;
        vm.prank(personOf(sender));
        try coordinator.refund(id) {
            if (!due) ++surprises;
            ++refunds;
            ++settlements[id];
        } catch {
            if (due) ++surprises;
        }
    }

    function withdraw(uint8 who, uint8 to) external {
        address person = personOf(who);
        uint256 credit = coordinator.credit(person);
        vm.prank(person);
        try coordinator.withdraw(payable(personOf(to))) {
            if (credit == 0) ++surprises;
            paidOut += credit;
            ++withdrawals;
        } catch {
            if (credit != 0) ++surprises;
        }
    }

    function declare(uint8 who, bytes32 environment) external {
        vm.prank(personOf(who));
        coordinator.declareEnvironment(environment);
    }

    function wait(uint16 time) external {
        vm.warp(block.timestamp + time);
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function personOf(uint8 who) public pure returns (address) {
        return address(uint160(0xA11CE000 + (who % 4)));
    }

    function inputOf(bytes32 seed) private pure returns (bytes memory) {
        return abi.encodePacked(seed, ~seed);
    }
}

contract EscrowTest {
    Scene private scene;
    InferenceCoordinator private coordinator;
    Crowd private crowd;

    function setUp() external {
        scene = new Scene();
        coordinator = scene.coordinator();
        crowd = new Crowd(scene);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(crowd);
    }

    /// @notice The crowd can do all that it should be able to do, so that the invariants below are about something.
    function test_theCrowdActs() external {
        for (uint8 who = 0; who < 3; ++who) crowd.request(who, bytes32(uint256(who)), 1 ether, 100);
        crowd.declare(2, keccak256("environment"));
        crowd.fulfil(0, 2, 3, "output", 5);
        crowd.fulfil(0, 1, 1, "again", 5);
        crowd.refund(1, 0);
        crowd.wait(101);
        crowd.fulfil(1, 1, 1, "at the deadline", 6);
        crowd.refund(2, 0);
        crowd.wait(1);
        crowd.refund(2, 0);
        crowd.refund(2, 0);
        crowd.withdraw(2, 3); // as the prover of the first request and the requester of the third
        crowd.withdraw(2, 3);
        assert(crowd.count() == 3 && crowd.fulfilments() == 2 && crowd.refunds() == 1 && crowd.withdrawals() == 1);
        assert(crowd.surprises() == 0 && crowd.paidIn() == 3 ether && crowd.paidOut() == 2 ether);
    }

    /// @notice What came in is out, in credits, or in requests without a result; nothing is counted twice.
    /// hardhat-config: invariant.runs = 24
    /// hardhat-config: invariant.depth = 60
    function invariant_escrowIsConserved() external view {
        uint256 open;
        for (uint256 i = 0; i < crowd.count(); ++i) {
            Request memory record = coordinator.requestOf(crowd.ids(i));
            if (record.status != RequestStatus.Fulfilled) open += record.fee;
        }
        uint256 credits;
        for (uint8 who = 0; who < 4; ++who) credits += coordinator.credit(crowd.personOf(who));
        assert(address(coordinator).balance == open + credits);
        assert(address(coordinator).balance == crowd.paidIn() - crowd.paidOut());
    }

    /// @notice A request is settled at most once, and a result never changes, whatever follows it.
    /// hardhat-config: invariant.runs = 24
    /// hardhat-config: invariant.depth = 60
    function invariant_resultsAreFinal() external view {
        for (uint256 i = 0; i < crowd.count(); ++i) {
            RequestId id = crowd.ids(i);
            assert(crowd.settlements(id) <= 1);
            if (coordinator.requestOf(id).status == RequestStatus.Fulfilled) {
                assert(crowd.resultHash(id) == keccak256(abi.encode(coordinator.result(id))));
            } else {
                assert(crowd.resultHash(id) == 0);
            }
        }
    }

    /// @notice Open requests can be fulfilled, expired ones refunded, credits withdrawn; nothing else can.
    /// hardhat-config: invariant.runs = 24
    /// hardhat-config: invariant.depth = 60
    function invariant_noActSurprises() external view {
        assert(crowd.surprises() == 0);
    }
}
