// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Where a prover takes private inputs, and under which key
/// @notice A requester encrypts input and salt to the key (HPKE, RFC 9180: X25519, HKDF-SHA256, AES-256-GCM) and posts what
/// comes out to the endpoint, or leaves it where the request says. What a prover published is never changed: it appends, the
/// last entry counts, and the older ones stay for whoever asks later which key was in force when.
/// An entry is the word of the address that published it. It says nothing of whether somebody answers there.
interface IProverDirectory {
    struct Entry {
        /// X25519 public key, the 32 bytes as they are on the wire. Zero: takes no private inputs (any more).
        bytes32 encryptionKey;
        uint64 publishedAt;
        /// Where envelopes are posted; empty if the prover only fetches them.
        string endpoint;
    }

    event Published(address indexed prover, uint256 indexed position, bytes32 encryptionKey, string endpoint);

    error EndpointTooLong(uint256 length);
    error EndpointWithoutKey(string endpoint);
    error NothingAt(address prover, uint256 position);

    /// @notice Puts the caller's key and endpoint in force; zero and "" withdraw what was before.
    /// @return position From 0.
    function publish(bytes32 encryptionKey, string calldata endpoint) external returns (uint256 position);

    /// @notice What is in force; all zero if `prover` never published or has withdrawn.
    function entryOf(address prover) external view returns (Entry memory);

    function entryAt(address prover, uint256 position) external view returns (Entry memory);

    function entryCount(address prover) external view returns (uint256);
}
