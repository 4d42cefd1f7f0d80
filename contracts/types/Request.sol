// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ModelId} from "./Model.sol";

/// @notice keccak256 of chain, coordinator, requester, the requester's nonce, model and input hash.
type RequestId is bytes32;

/// @notice What a requester demands of the evidence, beside a valid proof.
struct Terms {
    /// Bits of {Evidence} that the result must carry. A bit that nothing here can provide is refused at once.
    uint32 requiredEvidence;
    /// Whether a model with a development key will do.
    bool allowDevelopmentKeys;
}

/// @notice Open: may be fulfilled now. Fulfilled: has its result, for ever. Expired: has none and never will.
enum RequestStatus {
    Open,
    Fulfilled,
    Expired
}

/// @notice A request as auditors and dapps read it.
struct Request {
    address requester;
    /// Wei in escrow or, once fulfilled, credited to the prover. Zero after a refund.
    uint96 fee;
    ModelId model;
    bytes32 inputHash;
    /// Last second (Unix time of the block) at which it may be fulfilled.
    uint64 deadline;
    uint32 requiredEvidence;
    bool allowDevelopmentKeys;
    RequestStatus status;
}

/// @notice An answer with its evidence.
struct Result {
    bytes output;
    ModelId model;
    /// The address inside the proven claim; it was credited with the fee.
    address prover;
    /// Bits of {Evidence}.
    uint32 evidence;
    uint64 fulfilledAt;
    /// Digest of the environment statement that `prover` had declared when the request was fulfilled. Self-declared:
    /// worth as much as the prover's word. Zero if it had declared none.
    bytes32 environment;
}

/// @dev How the coordinator stores a request and its result: four slots at the request, one of them updated at the
/// fulfilment and one or more added for the output. The narrow types are what makes a fulfilment cost 311k gas instead
/// of 355k:
/// `spared` is a time as seconds before the deadline, which MAX_WINDOW keeps below 2^24;
/// `environment` is a position in the prover's list of declarations, which is append-only;
/// `demands` holds the required bits, and DEVELOPMENT_KEY (which nobody can require) for allowDevelopmentKeys.
struct RequestRecord {
    address requester;
    uint96 fee;
    //
    ModelId model;
    //
    bytes32 inputHash;
    //
    address prover; // zero until fulfilled
    uint40 deadline; // zero if there is no such request
    uint24 spared;
    uint8 demands;
    uint8 evidence;
    uint16 environment;
    //
    bytes output;
}

/// @dev All that the coordinator stores of an address, in one slot.
struct Account {
    /// Wei to withdraw. No sum of wei reaches 2^128.
    uint128 credit;
    /// Requests made so far.
    uint64 nonce;
    /// Environments declared so far, which is also the position of the current one.
    uint16 environments;
}
