// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice keccak256 of what a publisher declared of a model, see {IModelRegistry-register}. One model is one version.
type ModelId is bytes32;

/// @notice keccak256 of whoever created the series, and its name: the versions of one named model.
type SeriesId is bytes32;

/// @notice Where the verifying key comes from.
/// Development: made by one party from known randomness; its maker can prove anything. Ceremony: from powers of tau with
/// at least one further contribution. Declared by the publisher, part of the model id; the transcript is off chain.
enum KeyKind {
    Development,
    Ceremony
}

/// @notice How a request brings its input.
/// Data: bytes in calldata, public. Reference: their keccak256, and a URI to fetch them from. Source: the coordinator reads
/// them from another contract when the request is made. Private: a salted commitment; the bytes reach the prover off chain.
enum InputKind {
    Data,
    Reference,
    Source,
    Private
}

/// @notice What a publisher declares. The digests are SHA-256 of files and opaque here. All but the URI is part of the id.
struct ModelParams {
    /// The float model that the publisher started from.
    bytes32 sourceDigest;
    /// The quantized ONNX file: what runs and what is proven.
    bytes32 quantizedDigest;
    /// The constraint system that the key was made for.
    bytes32 circuitDigest;
    /// The package's manifest, which names every file and how to derive it again.
    bytes32 manifestDigest;
    /// Bytes of every input and every output.
    uint32 inputLength;
    uint32 outputLength;
    KeyKind keyKind;
    /// Bit 1 << kind for each {InputKind} that requests may use. Private alone, or any of the others: its circuit is another.
    uint8 inputKinds;
    /// Least collateral of a claim, in hundredths of a percent of its price.
    uint16 collateralBps;
    /// What the publisher gets of each price, in hundredths of a percent.
    uint16 royaltyBps;
    /// Types, scales and shapes of inputs and outputs, as {Tensor} reads them.
    bytes tensors;
    /// Where the manifest can be fetched. A hint, not part of the model id: the digest is what counts.
    string manifestURI;
}

/// @notice One inference with its proof, which shows that the key belongs to a working circuit of the right shape.
struct Sample {
    bytes input;
    bytes output;
    /// First public signal: the circuit's commitment to the words of input and output.
    uint256 c;
    /// A.x, A.y, B.x imaginary, B.x real, B.y imaginary, B.y real, C.x, C.y
    uint256[8] proof;
}

/// @notice The registry's record. The first two slots are all that a fulfilment reads.
struct Model {
    /// Contract whose code is 0x00 and then the 704 key bytes.
    address key;
    uint32 inputLength;
    uint32 outputLength;
    KeyKind keyKind;
    uint8 inputKinds;
    bool retired;
    //
    /// Position in the registry, from 1.
    uint32 number;
    uint16 collateralBps;
    uint16 royaltyBps;
    uint64 registeredAt;
    /// Position in its series, from 1.
    uint32 version;
    //
    SeriesId series;
    /// The model that its publisher names instead of it; zero while it is not deprecated.
    ModelId successor;
    /// Who registered it. Rights and royalties are the series' owner's, see {IModelRegistry-publisherOf}.
    address registrant;
    bytes32 keyHash;
    bytes32 sourceDigest;
    bytes32 quantizedDigest;
    bytes32 circuitDigest;
    bytes32 manifestDigest;
    bytes tensors;
    string manifestURI;
}

/// @notice The part of a {Model} that requests and fulfilments need.
struct ModelHead {
    address key;
    uint32 inputLength;
    uint32 outputLength;
    KeyKind keyKind;
    uint8 inputKinds;
    bool retired;
    uint32 number;
    uint16 collateralBps;
    uint16 royaltyBps;
}

/// @notice The versions of one named model.
struct Series {
    /// The publisher: registers versions, retires them, gets their royalties.
    address owner;
    /// Whom the owner offered the series to.
    address pendingOwner;
    /// Bit 1 << kind for each {KeyKind} that a version may have; for ever.
    uint8 keyKinds;
    uint32 versions;
    string name;
}
