// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {ClaimLib} from "./libraries/ClaimLib.sol";
import {Groth16} from "./libraries/Groth16.sol";
import {KeyLib} from "./libraries/KeyLib.sol";
import {Tensor} from "./libraries/Tensor.sol";
import {InputKind, Model, ModelHead, ModelId, ModelParams, Sample, Series, SeriesId} from "./types/Model.sol";

contract ModelRegistry is IModelRegistry, ERC165 {
    bytes32 private constant DOMAIN_SERIES = keccak256("glassbox.series.v1");
    bytes32 private constant DOMAIN_MODEL = keccak256("glassbox.model.v1");

    /// @notice A request carries its input in calldata and in an event: 24,576 bytes cost about 1 M gas there.
    uint256 public constant MAX_INPUT_LENGTH = 24_576;
    /// @notice A fulfilment writes its output to storage: 4,096 bytes cost about 2.9 M gas there.
    uint256 public constant MAX_OUTPUT_LENGTH = 4_096;
    uint256 public constant MAX_URI_LENGTH = 512;
    uint256 public constant MAX_NAME_LENGTH = 64;
    /// @notice A quarter of the price.
    uint256 public constant MAX_ROYALTY_BPS = 2_500;

    mapping(ModelId => Model) private _models;
    mapping(SeriesId => Series) private _series;
    mapping(SeriesId => mapping(uint256 version => ModelId)) private _versions;
    /// @dev In the order of registration; the number of a model is its position, from 1.
    ModelId[] private _numbered;

    /// @inheritdoc IModelRegistry
    function createSeries(string calldata name, uint8 keyKinds) external returns (SeriesId id) {
        uint256 length = bytes(name).length;
        require(length > 0 && length <= MAX_NAME_LENGTH, NameLengthOutOfBounds(length));
        require(keyKinds > 0 && keyKinds < 4, KeyKindsInvalid(keyKinds));
        id = SeriesId.wrap(keccak256(abi.encode(DOMAIN_SERIES, msg.sender, name)));
        require(_series[id].owner == address(0), SeriesAlreadyCreated(id));
        _series[id] = Series(msg.sender, address(0), keyKinds, 0, name);
        emit SeriesCreated(id, msg.sender, keyKinds, name);
    }

    /// @inheritdoc IModelRegistry
    function offerSeries(SeriesId id, address to) external {
        Series storage series = _owned(id);
        series.pendingOwner = to;
        emit SeriesOffered(id, msg.sender, to);
    }

    /// @inheritdoc IModelRegistry
    function acceptSeries(SeriesId id) external {
        Series storage series = _knownSeries(id);
        (address from, address to) = (series.owner, series.pendingOwner);
        require(msg.sender == to, CallerIsNotPendingOwner(id, msg.sender, to));
        series.owner = to;
        series.pendingOwner = address(0);
        emit SeriesTransferred(id, from, to);
    }

    /// @inheritdoc IModelRegistry
    function register(
        SeriesId seriesId,
        ModelParams calldata params,
        bytes calldata key,
        Sample calldata sample
    ) external returns (ModelId id) {
        Series storage series = _owned(seriesId);
        bool allowed = series.keyKinds & (1 << uint8(params.keyKind)) != 0;
        require(allowed, KeyKindNotInSeries(seriesId, params.keyKind));
        _checkParams(params);
        KeyLib.validate(key);
        bytes32 keyHash = keccak256(key);
        id = _idOf(seriesId, params, keyHash);
        require(_models[id].key == address(0), ModelAlreadyRegistered(id));

        address pointer = KeyLib.store(key);
        _checkSample(id, pointer, params, sample);

        _numbered.push(id);
        uint32 version = ++series.versions;
        _versions[seriesId][version] = id;
        Model storage model = _models[id];
        model.key = pointer;
        model.inputLength = params.inputLength;
        model.outputLength = params.outputLength;
        model.keyKind = params.keyKind;
        model.inputKinds = params.inputKinds;
        model.number = uint32(_numbered.length);
        model.collateralBps = params.collateralBps;
        model.royaltyBps = params.royaltyBps;
        model.registeredAt = uint64(block.timestamp);
        model.version = version;
        model.series = seriesId;
        model.registrant = msg.sender;
        model.keyHash = keyHash;
        model.sourceDigest = params.sourceDigest;
        model.quantizedDigest = params.quantizedDigest;
        model.circuitDigest = params.circuitDigest;
        model.manifestDigest = params.manifestDigest;
        model.tensors = params.tensors;
        model.manifestURI = params.manifestURI;
        emit ModelRegistered(id, seriesId, msg.sender, version, params.keyKind, pointer, keyHash, params.manifestURI);
    }

    /// @inheritdoc IModelRegistry
    function deprecate(ModelId id, ModelId successor) external {
        Model storage model = _known(id);
        _owned(model.series);
        bool valid = ModelId.unwrap(successor) != ModelId.unwrap(id) && _models[successor].key != address(0);
        require(valid, SuccessorInvalid(id, successor));
        model.successor = successor;
        emit ModelDeprecated(id, successor);
    }

    /// @inheritdoc IModelRegistry
    function retire(ModelId id) external {
        Model storage model = _known(id);
        _owned(model.series);
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
        return
            ModelHead({
                key: model.key,
                inputLength: model.inputLength,
                outputLength: model.outputLength,
                keyKind: model.keyKind,
                inputKinds: model.inputKinds,
                retired: model.retired,
                number: model.number,
                collateralBps: model.collateralBps,
                royaltyBps: model.royaltyBps
            });
    }

    /// @inheritdoc IModelRegistry
    function modelAt(uint256 number) external view returns (ModelId) {
        require(number > 0 && number <= _numbered.length, NumberUnknown(number));
        return _numbered[number - 1];
    }

    /// @inheritdoc IModelRegistry
    function publisherOf(ModelId id) external view returns (address) {
        return _series[_known(id).series].owner;
    }

    /// @inheritdoc IModelRegistry
    function keyOf(ModelId id) external view returns (bytes memory) {
        return abi.encodePacked(KeyLib.load(_known(id).key));
    }

    /// @inheritdoc IModelRegistry
    function tensorsOf(ModelId id) external view returns (bytes memory) {
        return _known(id).tensors;
    }

    /// @inheritdoc IModelRegistry
    function seriesOf(SeriesId id) external view returns (Series memory) {
        return _knownSeries(id);
    }

    /// @inheritdoc IModelRegistry
    function versionOf(SeriesId id, uint256 version) external view returns (ModelId model) {
        uint32 versions = _knownSeries(id).versions;
        model = _versions[id][version == 0 ? versions : version];
        require(ModelId.unwrap(model) != 0, VersionUnknown(id, version));
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IModelRegistry).interfaceId || super.supportsInterface(id);
    }

    function _knownSeries(SeriesId id) private view returns (Series storage series) {
        series = _series[id];
        require(series.owner != address(0), SeriesUnknown(id));
    }

    function _owned(SeriesId id) private view returns (Series storage series) {
        series = _knownSeries(id);
        require(msg.sender == series.owner, CallerIsNotOwner(id, msg.sender, series.owner));
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
        uint8 kinds = params.inputKinds;
        uint8 isPrivate = uint8(1 << uint8(InputKind.Private));
        require(kinds > 0 && (kinds == isPrivate || kinds < isPrivate), InputKindsInvalid(kinds));
        require(params.royaltyBps <= MAX_ROYALTY_BPS, RoyaltyTooHigh(params.royaltyBps));
        length = bytes(params.manifestURI).length;
        require(length <= MAX_URI_LENGTH, ManifestURITooLong(length));
        Tensor.validate(params.tensors, params.inputLength, params.outputLength);
    }

    function _idOf(SeriesId series, ModelParams calldata params, bytes32 keyHash) private pure returns (ModelId) {
        bytes memory text = abi.encode(
            DOMAIN_MODEL,
            series,
            params.sourceDigest,
            params.quantizedDigest,
            params.circuitDigest,
            params.manifestDigest,
            keyHash,
            params.keyKind,
            params.inputLength,
            params.outputLength,
            params.inputKinds,
            params.collateralBps,
            params.royaltyBps,
            keccak256(params.tensors)
        );
        return ModelId.wrap(keccak256(text));
    }

    /// @dev The proof with one signal changed need not be tried: it differs from the sample's equation by a factor
    /// e(IC[j], gamma)^change, which is 1 only if one of the two points is infinity, and {KeyLib-validate} refused that.
    function _checkSample(ModelId id, address key, ModelParams calldata params, Sample calldata sample) private view {
        uint256 length = sample.input.length;
        bool isPrivate = params.inputKinds == 1 << uint8(InputKind.Private);
        uint256 expected = isPrivate ? 0 : params.inputLength;
        require(length == expected, SampleInputLengthMismatch(length, expected));
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
            isPrivate ? bytes32(sample.c) : keccak256(sample.input),
            sample.output
        );
        Groth16.verify(key, sample.proof, signals);
    }
}
