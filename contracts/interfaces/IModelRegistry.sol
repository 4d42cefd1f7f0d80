// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {KeyKind, Model, ModelHead, ModelId, ModelParams, Sample} from "../types/Model.sol";

/// @title Models, their keys and who published them
/// @notice Append-only. Nobody can change or remove a model; its publisher can retire it, once and for ever. The registry
/// says that a key is well formed and that somebody could prove with it. Whether the key belongs to the model file is for
/// whoever derives the circuit from the file again to say, with the digests recorded here.
interface IModelRegistry {
    event ModelRegistered(
        ModelId indexed id,
        address indexed publisher,
        KeyKind keyKind,
        address key,
        bytes32 keyHash,
        string manifestURI
    );
    event ModelRetired(ModelId indexed id);

    error ModelUnknown(ModelId id);
    error ModelAlreadyRegistered(ModelId id);
    error ModelAlreadyRetired(ModelId id);
    error CallerIsNotPublisher(ModelId id, address caller, address publisher);
    /// @param index 0 source, 1 quantized, 2 circuit, 3 manifest
    error DigestMissing(uint256 index);
    error InputLengthOutOfBounds(uint256 length);
    error OutputLengthOutOfBounds(uint256 length);
    error ManifestURITooLong(uint256 length);
    error SampleInputLengthMismatch(uint256 length, uint256 expected);
    error SampleOutputLengthMismatch(uint256 length, uint256 expected);

    /// @notice Registers a model under the caller's name.
    /// The id is keccak256(abi.encode(keccak256("glassbox.model.v1"), publisher, sourceDigest, quantizedDigest,
    /// circuitDigest, manifestDigest, keccak256(key), uint8 keyKind, uint32 inputLength, uint32 outputLength)). It names
    /// neither chain nor registry: the same model has the same id everywhere, while claims about it name both.
    /// @param key 704 bytes: alpha (G1) | beta, gamma, delta (G2) | IC[0..3] (G1), big-endian coordinates, the imaginary half
    /// of a G2 coordinate first.
    /// @param sample An inference with a proof of it, of the claim under the domain keccak256("glassbox.sample.v1"), this
    /// registry, request id 0 and the caller as prover. Because no IC point may be infinity, a key that accepts the sample
    /// refuses it with any one signal changed: each signal counts.
    function register(
        ModelParams calldata params,
        bytes calldata key,
        Sample calldata sample
    ) external returns (ModelId id);

    /// @notice Ends new requests to a model. Open ones may still be fulfilled and results stay. One-way, publisher only.
    function retire(ModelId id) external;

    /// @notice All that is recorded of a model. Reverts if it is unknown, as the other views do.
    function modelOf(ModelId id) external view returns (Model memory);

    /// @notice What a request and a fulfilment need, from one storage slot.
    function headOf(ModelId id) external view returns (ModelHead memory);

    /// @notice The 704 bytes of the model's verifying key.
    function keyOf(ModelId id) external view returns (bytes memory);
}
