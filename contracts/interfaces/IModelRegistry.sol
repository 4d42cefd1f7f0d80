// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {KeyKind, Model, ModelHead, ModelId, ModelParams, Sample, Series, SeriesId} from "../types/Model.sol";

/// @title Models, their keys and who published them
/// @notice Append-only. Nobody can change or remove a model; its publisher can name a successor and can retire it, once and
/// for ever. The registry says that a key is well formed and that somebody could prove with it. Whether the key belongs to
/// the model file is for whoever derives the circuit from the file again to say, with the digests recorded here.
interface IModelRegistry {
    event SeriesCreated(SeriesId indexed id, address indexed owner, uint8 keyKinds, string name);
    event SeriesOffered(SeriesId indexed id, address indexed owner, address indexed pendingOwner);
    event SeriesTransferred(SeriesId indexed id, address indexed from, address indexed to);
    event ModelRegistered(
        ModelId indexed id,
        SeriesId indexed series,
        address indexed publisher,
        uint32 version,
        KeyKind keyKind,
        address key,
        bytes32 keyHash,
        string manifestURI
    );
    event ModelDeprecated(ModelId indexed id, ModelId indexed successor);
    event ModelRetired(ModelId indexed id);

    error SeriesUnknown(SeriesId id);
    error SeriesAlreadyCreated(SeriesId id);
    error NameLengthOutOfBounds(uint256 length);
    error KeyKindsInvalid(uint8 keyKinds);
    error KeyKindNotInSeries(SeriesId id, KeyKind keyKind);
    error CallerIsNotOwner(SeriesId id, address caller, address owner);
    error CallerIsNotPendingOwner(SeriesId id, address caller, address pendingOwner);
    error ModelUnknown(ModelId id);
    error NumberUnknown(uint256 number);
    error VersionUnknown(SeriesId id, uint256 version);
    error ModelAlreadyRegistered(ModelId id);
    error ModelAlreadyRetired(ModelId id);
    error SuccessorInvalid(ModelId id, ModelId successor);
    /// @param index 0 source, 1 quantized, 2 circuit, 3 manifest
    error DigestMissing(uint256 index);
    error InputLengthOutOfBounds(uint256 length);
    error OutputLengthOutOfBounds(uint256 length);
    error InputKindsInvalid(uint8 inputKinds);
    error RoyaltyTooHigh(uint256 royaltyBps);
    error ManifestURITooLong(uint256 length);
    error SampleInputLengthMismatch(uint256 length, uint256 expected);
    error SampleOutputLengthMismatch(uint256 length, uint256 expected);

    /// @notice Opens a series under the caller's name. Its id is keccak256(abi.encode(keccak256("glassbox.series.v1"), caller,
    /// name)): the same on every chain.
    /// @param keyKinds Bit 1 << kind for each {KeyKind} that versions may ever have: a series can bind itself to ceremonies.
    function createSeries(string calldata name, uint8 keyKinds) external returns (SeriesId id);

    /// @notice Offers the series, with all rights over its versions and their royalties, to `to`; zero takes the offer back.
    /// Owner only.
    function offerSeries(SeriesId id, address to) external;

    /// @notice Takes a series that was offered to the caller.
    function acceptSeries(SeriesId id) external;

    /// @notice Registers the next version of a series, whose owner the caller must be.
    /// The id is keccak256(abi.encode(keccak256("glassbox.model.v1"), series, sourceDigest, quantizedDigest, circuitDigest,
    /// manifestDigest, keccak256(key), uint8 keyKind, uint32 inputLength, uint32 outputLength, uint8 inputKinds, uint16
    /// collateralBps, uint16 royaltyBps, keccak256(tensors))). It names neither chain nor registry: the same model has the same
    /// id everywhere, while claims about it name both.
    /// @param key 704 bytes: alpha (G1) | beta, gamma, delta (G2) | IC[0..3] (G1), big-endian coordinates, the imaginary half
    /// of a G2 coordinate first.
    /// @param sample An inference with a proof of it, of the claim under the domain keccak256("glassbox.sample.v1"), this
    /// registry, request id 0 and the caller as prover; its input is empty if the model takes private inputs. Because no IC
    /// point may be infinity, a key that accepts the sample refuses it with any one signal changed: each signal counts.
    function register(
        SeriesId series,
        ModelParams calldata params,
        bytes calldata key,
        Sample calldata sample
    ) external returns (ModelId id);

    /// @notice Says that `successor` should be used instead. Requests stay possible. It may be called again, with a newer one.
    /// Owner of the model's series only.
    function deprecate(ModelId id, ModelId successor) external;

    /// @notice Ends new requests to a model. Open ones may still be fulfilled and results stay. One-way; owner of the model's
    /// series only.
    function retire(ModelId id) external;

    /// @notice All that is recorded of a model. Reverts if it is unknown, as the other views do.
    function modelOf(ModelId id) external view returns (Model memory);

    /// @notice What a request and a fulfilment need, from two storage slots.
    function headOf(ModelId id) external view returns (ModelHead memory);

    /// @notice The `number`-th model that was registered, from 1.
    function modelAt(uint256 number) external view returns (ModelId);

    /// @notice Who owns the model's series: gets its royalties.
    function publisherOf(ModelId id) external view returns (address);

    /// @notice The 704 bytes of the model's verifying key.
    function keyOf(ModelId id) external view returns (bytes memory);

    /// @notice Types, scales and shapes of the model's inputs and outputs, for {Tensor}.
    function tensorsOf(ModelId id) external view returns (bytes memory);

    function seriesOf(SeriesId id) external view returns (Series memory);

    /// @notice The `version`-th model of a series, from 1; the newest for 0.
    function versionOf(SeriesId id, uint256 version) external view returns (ModelId);
}
