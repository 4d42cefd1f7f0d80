// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceCoordinator} from "../../../contracts/InferenceCoordinator.sol";
import {ModelRegistry} from "../../../contracts/ModelRegistry.sol";
import {SignatureValidator} from "../../../contracts/SignatureValidator.sol";
import {IInputSource} from "../../../contracts/interfaces/IInputSource.sol";
import {KeyKind, ModelId, ModelParams, Sample, SeriesId} from "../../../contracts/types/Model.sol";
import {Request, RequestId} from "../../../contracts/types/Request.sol";
import {Spec} from "./Spec.sol";
import {PlainToken, SilentToken} from "./Tokens.sol";
import {Trapdoor} from "./Trapdoor.sol";
import {vm} from "./Vm.sol";

/// @notice Says 64 bytes: a word that anybody may set, and the query's hash; nothing while it is broken.
contract Feed is IInputSource {
    bytes32 private _word;
    bool public broken;

    function set(bytes32 word, bool broken_) external {
        (_word, broken) = (word, broken_);
    }

    function read(bytes calldata query) external view returns (bytes memory) {
        return broken ? bytes("broken") : abi.encodePacked(_word, keccak256(query));
    }
}

/// @notice Registry, coordinator, tokens and models with the trapdoor's keys, as tests inside of the EVM need them.
contract Scene {
    uint256 public constant PUBLISHER_KEY = 0x9B;
    /// @notice 64 to 20 bytes, Data and Reference; a royalty of 12.5 %, collateral of 30 %.
    uint256 public constant PLAIN = 0;
    /// @notice 31 to 40 bytes, Data, a development key; neither royalty nor collateral.
    uint256 public constant DEVELOPMENT = 1;
    /// @notice 64 to 32 bytes, Data and Source; the highest royalty, collateral of 150 %.
    uint256 public constant SOURCE = 2;
    /// @notice 64 to 33 bytes, Private; a royalty and collateral of 0.01 %.
    uint256 public constant PRIVATE = 3;

    ModelRegistry public immutable registry = new ModelRegistry();
    InferenceCoordinator public immutable coordinator = new InferenceCoordinator(registry, new SignatureValidator());
    PlainToken public immutable plain = new PlainToken();
    SilentToken public immutable silent = new SilentToken();
    Feed public immutable feed = new Feed();
    address public immutable publisher = vm.addr(PUBLISHER_KEY);
    /// @notice Of keys of any kind, and of keys from ceremonies only.
    SeriesId[2] public series;
    ModelId[4] public models;
    /// @notice Every model has a key of its own, see {keyAt}.
    mapping(ModelId => uint256) public keyNumberOf;

    constructor() {
        vm.prank(publisher);
        series[0] = registry.createSeries("any", 3);
        vm.prank(publisher);
        series[1] = registry.createSeries("strict", 2);
        models[PLAIN] = register(publisher, series[1], paramsAt(PLAIN), 0);
        models[DEVELOPMENT] = register(publisher, series[0], paramsAt(DEVELOPMENT), 1);
        models[SOURCE] = register(publisher, series[1], paramsAt(SOURCE), 2);
        models[PRIVATE] = register(publisher, series[0], paramsAt(PRIVATE), 3);
    }

    /// @notice Registers with a true sample. Reverts as the registry does.
    function register(
        address from,
        SeriesId id,
        ModelParams memory params,
        uint256 keyNumber
    ) public returns (ModelId model) {
        bytes memory key = keyAt(keyNumber);
        Sample memory sample = sampleOf(from, id, params, keyNumber);
        vm.prank(from);
        model = registry.register(id, params, key, sample);
        setKeyNumber(model, keyNumber);
        assert(ModelId.unwrap(model) == ModelId.unwrap(Spec.modelId(id, params, key)));
    }

    /// @notice For a model that somebody else registered.
    function setKeyNumber(ModelId model, uint256 keyNumber) public {
        keyNumberOf[model] = keyNumber;
    }

    function paramsAt(uint256 kind) public pure returns (ModelParams memory) {
        (uint32 inputLength, uint32 outputLength) = ([64, 31, 64, 64][kind], [20, 40, 32, 33][kind]);
        return
            ModelParams({
                sourceDigest: keccak256(abi.encode("source", kind)),
                quantizedDigest: keccak256("quantized"),
                circuitDigest: keccak256("circuit"),
                manifestDigest: keccak256("manifest"),
                inputLength: inputLength,
                outputLength: outputLength,
                keyKind: kind == DEVELOPMENT ? KeyKind.Development : KeyKind.Ceremony,
                inputKinds: [3, 1, 5, 8][kind],
                collateralBps: [3_000, 0, 15_000, 1][kind],
                royaltyBps: [1_250, 0, 2_500, 1][kind],
                tensors: tensorsOf(inputLength, outputLength),
                manifestURI: ""
            });
    }

    /// @notice A vector of uint8 to a vector of int8 in 128ths.
    function tensorsOf(uint32 inputLength, uint32 outputLength) public pure returns (bytes memory) {
        return abi.encodePacked(hex"01_01_08_00_01", inputLength, hex"88_f9_01", outputLength);
    }

    function sampleOf(
        address from,
        SeriesId id,
        ModelParams memory params,
        uint256 keyNumber
    ) public view returns (Sample memory) {
        bool hidden = params.inputKinds == 8;
        bytes memory input = new bytes(hidden ? 0 : params.inputLength);
        bytes memory output = new bytes(params.outputLength);
        uint256[3] memory signals = Spec.signals(
            "glassbox.sample.v1",
            address(registry),
            bytes32(0),
            ModelId.unwrap(Spec.modelId(id, params, keyAt(keyNumber))),
            from,
            1,
            input,
            hidden ? bytes32(uint256(1)) : keccak256(input),
            output
        );
        return Sample(input, output, 1, proveWith(keyNumber, signals, 7));
    }

    /// @notice A request that {coordinator} takes now: of 1,000 native wei, from the caller, open at once for a day.
    function terms(ModelId model, bytes memory input) external view returns (Request memory r) {
        (r.requester, r.payer, r.model, r.inputHash) = (msg.sender, msg.sender, model, keccak256(input));
        (r.maxFee, r.requiredEvidence, r.allowDevelopmentKeys) = (1_000, 1, true);
        uint32 time = uint32(block.timestamp);
        (r.start, r.rampEnd, r.deadline, r.submitBy) = (time, time, time + 1 days, time);
    }

    /// @notice A proof that `output` answers the stored request `r` about `input`, made by `prover`.
    /// @param a any non-zero scalar; another one makes another proof of the same
    function prove(
        Request memory r,
        bytes memory input,
        bytes memory output,
        uint256 c,
        address prover,
        uint256 a
    ) external view returns (uint256[8] memory) {
        uint256[3] memory signals = Spec.signals(
            "glassbox.claim.v1",
            address(coordinator),
            RequestId.unwrap(Spec.requestId(r, address(coordinator))),
            ModelId.unwrap(r.model),
            prover,
            c,
            input,
            r.inputHash,
            output
        );
        return proveWith(keyNumberOf[r.model], signals, a);
    }

    /// @notice The trapdoor's key with IC[0] moved by `number` times IC[1]: its proofs of c are the first key's of c + number.
    function keyAt(uint256 number) public view returns (bytes memory key) {
        key = Trapdoor.KEY;
        if (number == 0) return key;
        uint256[22] memory words = abi.decode(key, (uint256[22]));
        (bool ok, bytes memory point) = address(7).staticcall(abi.encode(words[16], words[17], number));
        require(ok, Trapdoor.PrecompileFailed());
        (ok, point) = address(6).staticcall(abi.encodePacked(words[14], words[15], point));
        require(ok, Trapdoor.PrecompileFailed());
        (words[14], words[15]) = abi.decode(point, (uint256, uint256));
        return abi.encode(words);
    }

    function proveWith(
        uint256 keyNumber,
        uint256[3] memory signals,
        uint256 a
    ) public view returns (uint256[8] memory) {
        return Trapdoor.prove([addmod(signals[0], keyNumber, Spec.R), signals[1], signals[2]], a);
    }
}
