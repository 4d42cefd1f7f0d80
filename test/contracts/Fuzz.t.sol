// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Groth16Verifier} from "../../contracts/Groth16Verifier.sol";
import {IInferenceCoordinator} from "../../contracts/interfaces/IInferenceCoordinator.sol";
import {Bn254} from "../../contracts/libraries/Bn254.sol";
import {Groth16} from "../../contracts/libraries/Groth16.sol";
import {InputKind, ModelId} from "../../contracts/types/Model.sol";
import {Answer, Payment, Request, RequestId, Result} from "../../contracts/types/Request.sol";
import {ClaimHarness} from "./harness/ClaimHarness.sol";
import {Scene} from "./harness/Scene.sol";
import {Spec} from "./harness/Spec.sol";
import {Trapdoor} from "./harness/Trapdoor.sol";
import {vm} from "./harness/Vm.sol";

/// @notice Properties over random values; the runner's seed is fixed, and it prints a failing case.
contract FuzzTest {
    Scene private scene;
    ClaimHarness private harness;
    Groth16Verifier private verifier;
    address private key;

    function setUp() external {
        scene = new Scene();
        harness = new ClaimHarness();
        verifier = new Groth16Verifier();
        key = scene.registry().headOf(scene.models(scene.PLAIN())).key;
    }

    function testFuzz_fingerprintIsItsDefinition(bytes calldata input, bytes calldata output, uint256 r) external view {
        r %= Bn254.R;
        assert(harness.fingerprint(input, output, r) == Spec.fingerprint(input, output, r));
    }

    function testFuzz_signalsAreTheirDefinition(
        bool sample,
        uint64 chain,
        address subject,
        bytes32[2] calldata ids,
        address prover,
        uint256 c,
        bytes calldata input,
        bytes calldata output
    ) external {
        vm.chainId(chain);
        uint256[3] memory signals = harness.signals(sample, subject, ids[0], ids[1], prover, c, input, output);
        uint256[3] memory expected = Spec.signals(
            sample ? "glassbox.sample.v1" : "glassbox.claim.v1",
            subject,
            ids[0],
            ids[1],
            prover,
            c,
            input,
            keccak256(input),
            output
        );
        assert(keccak256(abi.encode(signals)) == keccak256(abi.encode(expected)));
    }

    function testFuzz_requestIdIsTheDigest(uint256[22] calldata words, uint64 chain) external {
        Request memory r;
        (r.requester, r.payer) = (address(uint160(words[0])), address(uint160(words[1])));
        (r.consumer, r.prover) = (address(uint160(words[2])), address(uint160(words[3])));
        (r.model, r.inputKind) = (ModelId.wrap(bytes32(words[4])), InputKind(words[5] % 4));
        (r.inputHash, r.originHash, r.token) = (bytes32(words[6]), bytes32(words[7]), address(uint160(words[8])));
        (r.minFee, r.maxFee, r.minCollateral) = (uint96(words[9]), uint96(words[10]), uint96(words[11]));
        (r.start, r.rampEnd, r.deadline) = (uint32(words[12]), uint32(words[13]), uint32(words[14]));
        (r.submitBy, r.claimPeriod, r.callbackGas) = (uint32(words[15]), uint32(words[16]), uint32(words[17]));
        (r.requiredEvidence, r.allowDevelopmentKeys) = (uint32(words[18]), words[19] % 2 == 1);
        (r.nonce, r.readAt) = (uint64(words[20]), uint40(words[21]));
        vm.chainId(chain);
        IInferenceCoordinator coordinator = scene.coordinator();
        RequestId expected = Spec.requestId(r, address(coordinator));
        assert(RequestId.unwrap(coordinator.idOf(r)) == RequestId.unwrap(expected));
    }

    function testFuzz_verifierAcceptsExactlyTheProvenSignals(
        uint256[3] calldata seeds,
        uint256 a,
        uint8 which,
        uint256 shift
    ) external {
        uint256[3] memory signals = [seeds[0] % Bn254.R, seeds[1] % Bn254.R, seeds[2] % Bn254.R];
        uint256[8] memory proof = Trapdoor.prove(signals, 1 + (a % (Bn254.R - 1)));
        verifier.verify(key, proof, signals);
        signals[which % 3] = addmod(signals[which % 3], 1 + (shift % (Bn254.R - 1)), Bn254.R);
        vm.expectRevert(Groth16.InvalidProof.selector);
        verifier.verify(key, proof, signals);
    }

    function testFuzz_verifierRefusesEveryChangeOfAProof(
        uint256[3] calldata seeds,
        uint8 which,
        uint256 change
    ) external {
        uint256[3] memory signals = [seeds[0] % Bn254.R, seeds[1] % Bn254.R, seeds[2] % Bn254.R];
        uint256[8] memory proof = Trapdoor.prove(signals, 5);
        vm.assume(change != 0);
        proof[which % 8] ^= change;
        vm.expectRevert();
        // Gas, since a precompile that refuses a point takes all that it was given.
        verifier.verify{gas: 2_000_000}(key, proof, signals);
    }

    function testFuzz_manyProofsAreJudgedAsEachAlone(uint256 seed, uint256[8] calldata seeds) external view {
        (bytes memory proofs, uint256 expected) = _many(seed, seeds);
        (uint256 valid, uint256 decided) = verifier.verifyMany(key, proofs);
        assert(valid == expected && decided == proofs.length / 352);
    }

    function testFuzz_lowGasLeavesProofsUndecidedAndNeverMisjudged(
        uint256 seed,
        uint256[8] calldata seeds,
        uint24 gas_
    ) external view {
        (bytes memory proofs, uint256 expected) = _many(seed, seeds);
        try verifier.verifyMany{gas: 200_000 + (gas_ % 800_000)}(key, proofs) returns (uint256 valid, uint256 decided) {
            assert(decided <= proofs.length / 352);
            assert(valid == expected & ((1 << decided) - 1));
        } catch (bytes memory reason) {
            assert(reason.length == 0 && gas_ % 800_000 < 300_000); // out of gas before the first check
        }
    }

    /// @dev Up to eight proofs, some of them spoilt, and which of them {verify} accepts, one by one. Two neighbours may be
    /// wrong by the same amount in opposite directions, so that the sum of their equations holds.
    function _many(
        uint256 seed,
        uint256[8] calldata seeds
    ) private view returns (bytes memory proofs, uint256 expected) {
        seed = uint256(keccak256(abi.encode(seed)));
        uint256 count = 1 + (seed % 8);
        uint256 opposite = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256[3] memory signals = [seeds[i] % Bn254.R, (seeds[i] >> 3) % Bn254.R, (seeds[i] >> 5) % Bn254.R];
            uint256[8] memory proof = Trapdoor.prove(signals, 1 + (seeds[i] >> 4));
            uint256 change = 1 + (uint256(keccak256(abi.encode(seeds[i]))) >> 4);
            uint256 lie = (seed >> (8 + 8 * i)) % 16;
            uint256 which = change % 8;
            bool good = lie > 8 && opposite == 0;
            if (opposite > 0) {
                signals[0] = addmod(signals[0], Bn254.R - opposite, Bn254.R);
                opposite = 0;
            } else if (lie == 0) {
                opposite = change % Bn254.R;
                signals[0] = addmod(signals[0], opposite, Bn254.R);
            } else if (lie == 1) signals[which % 3] = addmod(signals[which % 3], change, Bn254.R);
            else if (lie == 2) proof[which] ^= change;
            else if (lie == 3) proof[which] += Bn254.Q;
            else if (lie == 4) signals[which % 3] += Bn254.R;
            else if (lie == 5) (proof[6], proof[7]) = (0, 0);
            else if (lie == 6) (proof[0], proof[1]) = (0, 0);
            else if (lie == 7) (proof[2], proof[3], proof[4], proof[5]) = (0, 0, 0, 0);
            else if (lie == 8) (proof[6], proof[7]) = Trapdoor.multiply(change);
            proofs = bytes.concat(proofs, abi.encode(proof, signals));
            try verifier.verify{gas: 500_000}(key, proof, signals) {
                expected |= 1 << i;
            } catch {}
            assert((expected >> i) % 2 == (good ? 1 : 0));
        }
    }

    function testFuzz_resultIsWhatWasProven(
        bytes32[2] calldata inputSeed,
        bytes20 outputSeed,
        uint256 c,
        address prover,
        uint96 fee,
        uint24 wait
    ) external {
        vm.assume(prover != address(0));
        c %= Bn254.R;
        (bytes memory input, bytes memory output) = (abi.encodePacked(inputSeed), abi.encodePacked(outputSeed));
        IInferenceCoordinator coordinator = scene.coordinator();
        Request memory r = scene.terms(scene.models(scene.PLAIN()), input);
        (r.maxFee, r.deadline) = (fee, r.start + 180 days);
        vm.deal(address(this), fee);
        RequestId id = coordinator.request{value: fee}(r, input, Payment.Direct);
        uint256 passed = wait % (180 days + 1);
        vm.warp(r.start + passed);
        coordinator.fulfil(r, Answer(input, output, c, scene.prove(r, input, output, c, prover, 3)), prover);
        Result memory result = coordinator.resultOf(id);
        assert(keccak256(result.output) == keccak256(output));
        assert(result.prover == prover && result.fulfilledAt == r.start + passed && result.evidence == 1);
        uint256 royalty = (uint256(fee) * 1_250) / 10_000;
        bool same = prover == scene.publisher();
        assert(coordinator.balanceOf(prover, address(0)) == (same ? fee : fee - royalty));
        assert(coordinator.balanceOf(scene.publisher(), address(0)) == (same ? fee : royalty));
    }
}
