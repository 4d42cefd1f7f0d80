// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {ClaimLib} from "./libraries/ClaimLib.sol";
import {Groth16} from "./libraries/Groth16.sol";
import {KeyLib} from "./libraries/KeyLib.sol";
import {Model, ModelHead, ModelId, ModelParams, Sample} from "./types/Model.sol";

contract ModelRegistry is IModelRegistry {
    bytes32 private constant DOMAIN_MODEL = keccak256("glassbox.model.v1");

    /// @notice A request carries its input in calldata and in an event: 24,576 bytes cost about 1 M gas there.
    uint256 public constant MAX_INPUT_LENGTH = 24_576;
    /// @notice A fulfilment writes its output to storage: 4,096 bytes cost about 2.9 M gas there.
    uint256 public constant MAX_OUTPUT_LENGTH = 4_096;
    uint256 public constant MAX_URI_LENGTH = 512;

    mapping(ModelId => Model) private _models;

    /// @inheritdoc IModelRegistry
    function register(
        ModelParams calldata params,
        bytes calldata key,
        Sample calldata sample
    ) external returns (ModelId id) {
        _checkParams(params);
        KeyLib.validate(key);
        bytes32 keyHash = keccak256(key);
        id = _idOf(msg.sender, params, keyHash);
        require(_models[id].key == address(0), ModelAlreadyRegistered(id));

        address pointer = KeyLib.store(key);
        _checkSample(id, pointer, params, sample);

        _models[id] = Model({
            key: pointer,
            inputLength: params.inputLength,
            outputLength: params.outputLength,
            keyKind: params.keyKind,
            retired: false,
            publisher: msg.sender,
            registeredAt: uint64(block.timestamp),
            keyHash: keyHash,
            sourceDigest: params.sourceDigest,
            quantizedDigest: params.quantizedDigest,
            circuitDigest: params.circuitDigest,
            manifestDigest: params.manifestDigest,
            manifestURI: params.manifestURI
        });
        emit ModelRegistered(id, msg.sender, params.keyKind, pointer, keyHash, params.manifestURI);
    }

    /// @inheritdoc IModelRegistry
    function retire(ModelId id) external {
        Model storage model = _known(id);
        require(msg.sender == model.publisher, CallerIsNotPublisher(id, msg.sender, model.publisher));
        require(!model.retired, ModelAlreadyRetired(id));
        model.retired = true;
        emit ModelRetired(id);
    }

    /// @inheritdoc IModelRegistry
    function modelOf(ModelId id) external view returns (Model memory) {
        return _known(id);
    }

    /// @inheritdoc IModelRegistry
    function headOf(ModelId id) external view returns (ModelHead memory) {
        Model storage model = _known(id);
        return ModelHead(model.key, model.inputLength, model.outputLength, model.keyKind, model.retired);
    }

    /// @inheritdoc IModelRegistry
    function keyOf(ModelId id) external view returns (bytes memory) {
        return abi.encodePacked(KeyLib.load(_known(id).key));
    }

    function _known(ModelId id) private view returns (Model storage model) {
        model = _models[id];
        require(model.key != address(0), ModelUnknown(id));
    }

    function _checkParams(ModelParams calldata params) private pure {
        require(params.sourceDigest != 0, DigestMissing(0));
        require(params.quantizedDigest != 0, DigestMissing(1));
        require(params.circuitDigest != 0, DigestMissing(2));
        require(params.manifestDigest != 0, DigestMissing(3));
        uint256 length = params.inputLength;
        require(length > 0 && length <= MAX_INPUT_LENGTH, InputLengthOutOfBounds(length));
        length = params.outputLength;
        require(length > 0 && length <= MAX_OUTPUT_LENGTH, OutputLengthOutOfBounds(length));
        length = bytes(params.manifestURI).length;
        require(length <= MAX_URI_LENGTH, ManifestURITooLong(length));
    }

    function _idOf(address publisher, ModelParams calldata params, bytes32 keyHash) private pure returns (ModelId) {
        bytes memory text = abi.encode(
            DOMAIN_MODEL,
            publisher,
            params.sourceDigest,
            params.quantizedDigest,
            params.circuitDigest,
            params.manifestDigest,
            keyHash,
            params.keyKind,
            params.inputLength,
            params.outputLength
        );
        return ModelId.wrap(keccak256(text));
    }

    /// @dev The proof with one signal changed need not be tried: it differs from the sample's equation by a factor
    /// e(IC[j], gamma)^change, which is 1 only if one of the two points is infinity, and {KeyLib-validate} refused that.
    function _checkSample(ModelId id, address key, ModelParams calldata params, Sample calldata sample) private view {
        uint256 length = sample.input.length;
        require(length == params.inputLength, SampleInputLengthMismatch(length, params.inputLength));
        length = sample.output.length;
        require(length == params.outputLength, SampleOutputLengthMismatch(length, params.outputLength));
        uint256[3] memory signals = ClaimLib.signals(
            ClaimLib.DOMAIN_SAMPLE,
            address(this),
            bytes32(0),
            ModelId.unwrap(id),
            msg.sender,
            sample.c,
            sample.input,
            keccak256(sample.input),
            sample.output
        );
        Groth16.verify(key, sample.proof, signals);
    }
}
