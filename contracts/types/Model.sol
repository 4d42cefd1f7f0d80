// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice keccak256 of what a publisher declared of a model, see {IModelRegistry-register}.
type ModelId is bytes32;

/// @notice Where the verifying key comes from.
/// Development: made by one party from known randomness; its maker can prove anything. Ceremony: from powers of tau with
/// at least one further contribution. Declared by the publisher, part of the model id; the transcript is off chain.
enum KeyKind {
    Development,
    Ceremony
}

/// @notice What a publisher declares. The digests are SHA-256 of files and opaque here.
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

/// @notice The registry's record. The first slot is all that a fulfilment reads.
struct Model {
    /// Contract whose code is 0x00 and then the 704 key bytes.
    address key;
    uint32 inputLength;
    uint32 outputLength;
    KeyKind keyKind;
    bool retired;
    address publisher;
    uint64 registeredAt;
    bytes32 keyHash;
    bytes32 sourceDigest;
    bytes32 quantizedDigest;
    bytes32 circuitDigest;
    bytes32 manifestDigest;
    string manifestURI;
}

/// @notice The part of a {Model} that requests and fulfilments need.
struct ModelHead {
    address key;
    uint32 inputLength;
    uint32 outputLength;
    KeyKind keyKind;
    bool retired;
}
