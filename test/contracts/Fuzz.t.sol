// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Groth16Verifier} from "../../contracts/Groth16Verifier.sol";
import {IInferenceCoordinator} from "../../contracts/interfaces/IInferenceCoordinator.sol";
import {Bn254} from "../../contracts/libraries/Bn254.sol";
import {Groth16} from "../../contracts/libraries/Groth16.sol";
import {RequestId, Result, Terms} from "../../contracts/types/Request.sol";
import {ClaimHarness} from "./harness/ClaimHarness.sol";
import {ClaimLibSpec, Scene} from "./harness/Scene.sol";
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
        key = scene.registry().headOf(scene.model()).key;
    }

    function testFuzz_fingerprintIsItsDefinition(bytes calldata input, bytes calldata output, uint256 r) external view {
        r %= Bn254.R;
        (uint256 v, uint256 power) = ClaimLibSpec.add(input, r, 0, r);
        (v, ) = ClaimLibSpec.add(output, r, v, power);
        assert(harness.fingerprint(input, output, r) == v);
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
        bytes32 domain = keccak256(bytes(sample ? "glassbox.sample.v1" : "glassbox.claim.v1"));
        uint256[3] memory expected = scene.signalsOf(domain, subject, ids[0], ids[1], prover, c, input, output);
        uint256[3] memory signals = harness.signals(sample, subject, ids[0], ids[1], prover, c, input, output);
        assert(keccak256(abi.encode(signals)) == keccak256(abi.encode(expected)));
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
        uint64 start = uint64(block.timestamp);
        vm.deal(address(this), fee);
        RequestId id = coordinator.request{value: fee}(scene.model(), input, start + 180 days, Terms(1, false));
        uint256[8] memory proof = scene.prove(id, input, output, c, prover, 3);
        uint256 passed = wait % (180 days + 1);
        vm.warp(start + passed);
        coordinator.fulfil(id, input, output, c, proof, prover);
        Result memory result = coordinator.result(id);
        assert(keccak256(result.output) == keccak256(output));
        assert(result.prover == prover && result.fulfilledAt == start + passed && result.evidence == 1);
        assert(coordinator.credit(prover) == fee);
    }
}
