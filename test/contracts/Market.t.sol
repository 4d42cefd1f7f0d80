// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {console} from "hardhat/console.sol";
import {InferenceCoordinator} from "../../contracts/InferenceCoordinator.sol";
import {ModelRegistry} from "../../contracts/ModelRegistry.sol";
import {ModelHead, ModelId, Series, SeriesId} from "../../contracts/types/Model.sol";
import {Request, RequestId, RequestStatus, Result} from "../../contracts/types/Request.sol";
import {Act, Books} from "./harness/Books.sol";
import {Crowd} from "./harness/Crowd.sol";
import {Scene} from "./harness/Scene.sol";
import {Spec} from "./harness/Spec.sol";
import {SilentToken} from "./harness/Tokens.sol";
import {vm} from "./harness/Vm.sol";

/// @notice What holds after anything that a crowd may do to the market; the runner calls the crowd's acts in any order.
contract MarketTest {
    InferenceCoordinator private coordinator;
    ModelRegistry private registry;
    Crowd private crowd;

    error Surprise(uint256 surprises, string last);
    error NeverDone(string act);

    function setUp() external {
        vm.warp(1_893_456_000);
        crowd = new Crowd(new Scene());
        (coordinator, registry) = (crowd.coordinator(), crowd.registry());
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(crowd);
    }

    /// @notice Each act succeeds, so that the invariants are about something. Prints how often, and how often it was refused.
    function test_theCrowdActs() external {
        for (uint256 i = 0; i < 1_000; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("crowd", i)));
            uint256 act = (seed >> 128) % 19;
            if (act < 3) crowd.request(seed);
            else if (act < 5) crowd.requestSigned(seed);
            else if (act == 5) crowd.requestAgain(seed);
            else if (act == 6) crowd.cancel(seed);
            else if (act < 9) crowd.claim(seed);
            else if (act < 11) crowd.fulfil(seed);
            else if (act == 11) crowd.fulfilBatch(seed);
            else if (act == 12) crowd.expire(seed);
            else if (act == 13) crowd.retryCallback(seed);
            else if (act < 16) crowd.bank(seed);
            else if (act == 16) crowd.publish(seed);
            else if (act == 17) crowd.meddle(seed);
            else crowd.wait(seed);
        }
        string[22] memory names = crowd.names();
        for (uint256 i = 0; i < 22; ++i) {
            console.log(names[i], crowd.counts(i, 0), crowd.counts(i, 1));
        }
        for (uint256 i = 0; i < 22; ++i) {
            bool must = i != uint256(Act.RequestAgain);
            require((crowd.counts(i, 0) > 0) == must, NeverDone(names[i]));
        }
    }

    /// @notice In every token the coordinator holds what is in the accounts and in unfinished requests, to the last unit.
    /// hardhat-config: invariant.runs = 48
    /// hardhat-config: invariant.depth = 100
    function invariant_escrowIsWhatIsOwed() external view {
        address[] memory accounts = crowd.accounts();
        for (uint256 i = 0; i < 3; ++i) {
            address token = crowd.tokens(i);
            uint256 owed = crowd.donated(token);
            for (uint256 j = 0; j < accounts.length; ++j) owed += coordinator.balanceOf(accounts[j], token);
            for (uint256 j = 0; j < crowd.requestCount(); ++j) {
                Books.Entry memory e = crowd.entryOf(crowd.ids(j));
                if (e.r.token != token) continue;
                if (e.status == RequestStatus.Open || e.status == RequestStatus.Claimed) owed += e.r.maxFee;
                (, uint256 collateral) = crowd.priceOf(crowd.ids(j), e.claimedAt);
                if (e.status == RequestStatus.Claimed) owed += collateral;
            }
            uint256 held =
                token == address(0) ? address(coordinator).balance : SilentToken(token).balanceOf(address(coordinator));
            assert(held == owed);
        }
    }

    /// @notice Everybody has exactly what fees, royalties, refunds and collateral come to, and no allowance is overspent.
    /// hardhat-config: invariant.runs = 64
    /// hardhat-config: invariant.depth = 100
    function invariant_accountsAreAsBooked() external view {
        address[] memory accounts = crowd.accounts();
        for (uint256 i = 0; i < 3; ++i) {
            address token = crowd.tokens(i);
            for (uint256 j = 0; j < accounts.length; ++j) {
                assert(coordinator.balanceOf(accounts[j], token) == crowd.balance(accounts[j], token));
                for (uint256 k = 0; k < accounts.length; ++k) {
                    uint256 left = coordinator.allowance(accounts[j], accounts[k], token);
                    assert(left == crowd.allowance(accounts[j], accounts[k], token));
                }
            }
        }
    }

    /// @notice A request ends once, and never leaves its end.
    /// hardhat-config: invariant.runs = 48
    /// hardhat-config: invariant.depth = 100
    function invariant_oneEndingEach() external view {
        for (uint256 i = 0; i < crowd.requestCount(); ++i) {
            Books.Entry memory e = crowd.entryOf(crowd.ids(i));
            bool ended = e.status == RequestStatus.Fulfilled || e.status == RequestStatus.Expired;
            assert(e.endings == (ended ? 1 : 0));
            bool late = !ended && block.timestamp > e.r.deadline;
            assert(coordinator.statusOf(e.r) == (late ? RequestStatus.Expired : e.status));
            (address claimer, uint256 end) = coordinator.claimOf(e.r);
            bool claimed = e.status == RequestStatus.Claimed;
            assert(claimer == (claimed ? e.claimer : address(0)));
            assert(end == (claimed ? Spec.claimEnd(e.r, e.claimedAt) : 0));
        }
    }

    /// @notice There is a result where a true proof came in time, nowhere else, and it never changes.
    /// hardhat-config: invariant.runs = 48
    /// hardhat-config: invariant.depth = 100
    function invariant_resultsComeFromProofs() external view {
        for (uint256 i = 0; i < crowd.requestCount(); ++i) {
            RequestId id = crowd.ids(i);
            Books.Entry memory e = crowd.entryOf(id);
            assert(coordinator.callbackPending(id) == e.undelivered);
            try coordinator.resultOf(id) returns (Result memory result) {
                assert(e.status == RequestStatus.Fulfilled && keccak256(abi.encode(result)) == e.result);
            } catch {
                assert(e.status != RequestStatus.Fulfilled && e.result == 0);
            }
        }
    }

    /// @notice Models, keys and policies stay as they were registered, but for the two marks; series change their owner only.
    /// hardhat-config: invariant.runs = 24
    /// hardhat-config: invariant.depth = 100
    function invariant_modelsAndKeysNeverChange() external view {
        for (uint256 i = 0; i < crowd.modelCount(); ++i) {
            ModelId model = crowd.models(i);
            Books.Policy memory policy = crowd.policyOf(model);
            assert(ModelId.unwrap(registry.modelAt(i + 1)) == ModelId.unwrap(model));
            assert(crowd.restOf(model) == policy.rest);
            ModelHead memory head = registry.headOf(model);
            assert(head.number == i + 1 && head.retired == policy.retired);
            assert(head.inputLength == policy.inputLength && head.outputLength == policy.outputLength);
            assert(head.inputKinds == policy.inputKinds && uint8(head.keyKind) == (policy.development ? 0 : 1));
            assert(head.collateralBps == policy.collateralBps && head.royaltyBps == policy.royaltyBps);
            assert(ModelId.unwrap(registry.modelOf(model).successor) == ModelId.unwrap(policy.successor));
            assert(SeriesId.unwrap(registry.modelOf(model).series) == SeriesId.unwrap(policy.series));
        }
        try registry.modelAt(crowd.modelCount() + 1) {
            assert(false);
        } catch {}
        for (uint256 i = 0; i < 2; ++i) {
            SeriesId id = crowd.series(i);
            Books.Ownership memory books = crowd.ownershipOf(id);
            Series memory series = registry.seriesOf(id);
            assert(series.owner == books.owner && series.pendingOwner == books.pending);
            assert(series.keyKinds == books.keyKinds && series.versions == crowd.versionCount(id));
            assert(keccak256(bytes(series.name)) == keccak256(bytes(i == 0 ? "any" : "strict")));
            for (uint256 j = 0; j < series.versions; ++j) {
                assert(ModelId.unwrap(registry.versionOf(id, j + 1)) == ModelId.unwrap(crowd.versions(id, j)));
            }
        }
    }

    /// @notice Every call succeeds or is refused as the books foresee.
    /// hardhat-config: invariant.runs = 96
    /// hardhat-config: invariant.depth = 100
    function invariant_noActSurprises() external view {
        require(crowd.surprises() == 0, Surprise(crowd.surprises(), crowd.lastSurprise()));
    }
}
