// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceCoordinator} from "../../../contracts/InferenceCoordinator.sol";
import {ModelRegistry} from "../../../contracts/ModelRegistry.sol";
import {ClaimLib} from "../../../contracts/libraries/ClaimLib.sol";
import {KeyKind, ModelId, ModelParams, Sample} from "../../../contracts/types/Model.sol";
import {RequestId} from "../../../contracts/types/Request.sol";
import {Trapdoor} from "./Trapdoor.sol";

/// @notice Registry, coordinator and one model of 64 to 20 bytes with the trapdoor's key, as tests inside of the EVM need
/// them.
contract Scene {
    uint32 public constant INPUT_LENGTH = 64;
    uint32 public constant OUTPUT_LENGTH = 20;

    ModelRegistry public immutable registry = new ModelRegistry();
    InferenceCoordinator public immutable coordinator = new InferenceCoordinator(registry);
    ModelId public model;

    constructor() {
        ModelParams memory params = ModelParams({
            sourceDigest: keccak256("source"),
            quantizedDigest: keccak256("quantized"),
            circuitDigest: keccak256("circuit"),
            manifestDigest: keccak256("manifest"),
            inputLength: INPUT_LENGTH,
            outputLength: OUTPUT_LENGTH,
            keyKind: KeyKind.Ceremony,
            manifestURI: ""
        });
        ModelId id = ModelId.wrap(
            keccak256(
                abi.encode(
                    keccak256("glassbox.model.v1"),
                    address(this),
                    params.sourceDigest,
                    params.quantizedDigest,
                    params.circuitDigest,
                    params.manifestDigest,
                    keccak256(Trapdoor.KEY),
                    params.keyKind,
                    params.inputLength,
                    params.outputLength
                )
            )
        );
        bytes memory input = new bytes(INPUT_LENGTH);
        bytes memory output = new bytes(OUTPUT_LENGTH);
        uint256[3] memory signals = signalsOf(
            ClaimLib.DOMAIN_SAMPLE,
            address(registry),
            bytes32(0),
            ModelId.unwrap(id),
            address(this),
            1,
            input,
            output
        );
        model = registry.register(params, Trapdoor.KEY, Sample(input, output, 1, Trapdoor.prove(signals, 7)));
    }

    /// @notice A valid proof that `output` answers request `id` about `input`, made by `prover`.
    function prove(
        RequestId id,
        bytes memory input,
        bytes memory output,
        uint256 c,
        address prover,
        uint256 a
    ) public view returns (uint256[8] memory) {
        uint256[3] memory signals = signalsOf(
            ClaimLib.DOMAIN_CLAIM,
            address(coordinator),
            RequestId.unwrap(id),
            ModelId.unwrap(model),
            prover,
            c,
            input,
            output
        );
        return Trapdoor.prove(signals, a);
    }

    /// @notice The signals by their definition: bytes to words one byte at a time, powers of r one at a time.
    function signalsOf(
        bytes32 domain,
        address subject,
        bytes32 request,
        bytes32 id,
        address prover,
        uint256 c,
        bytes memory input,
        bytes memory output
    ) public view returns (uint256[3] memory) {
        bytes32 text = keccak256(
            abi.encode(domain, block.chainid, subject, request, id, prover, c, keccak256(input), keccak256(output))
        );
        uint256 r = uint256(text) % ClaimLibSpec.R;
        (uint256 v, uint256 power) = ClaimLibSpec.add(input, r, 0, r);
        (v, ) = ClaimLibSpec.add(output, r, v, power);
        return [c, v, r];
    }
}

/// @notice v as the specification has it, slow and plain; the fuzz tests hold ClaimLib to it.
library ClaimLibSpec {
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    function add(
        bytes memory data,
        uint256 r,
        uint256 v,
        uint256 power
    ) internal pure returns (uint256 sum, uint256 nextPower) {
        for (uint256 from = 0; from < data.length; from += 31) {
            uint256 word = 0;
            for (uint256 i = from; i < from + 31; ++i) word = word * 256 + (i < data.length ? uint8(data[i]) : 0);
            v = addmod(v, mulmod(word, power, R), R);
            power = mulmod(power, r, R);
        }
        return (v, power);
    }
}
