// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InputKind, ModelId} from "./Model.sol";

/// @notice The EIP-712 digest of a {Request}: chain, coordinator and every field. What a requester signs is the id.
type RequestId is bytes32;

/// @notice All that a request says. Storage keeps the digest's state only: whoever acts on a request brings it along, from
/// the event {IInferenceCoordinator-Requested}. Amounts are in the token's smallest unit, times in Unix seconds (until 2106).
struct Request {
    /// Who asks: the caller, or the signer if somebody else sends it.
    address requester;
    /// Whose account pays, and gets back what is not spent.
    address payer;
    /// Contract that is called with the answer, see {IInferenceConsumer}; zero for none.
    address consumer;
    /// The only prover that may claim or fulfil; zero for anybody.
    address prover;
    ModelId model;
    InputKind inputKind;
    /// keccak256 of the input; for Private the commitment, which is the proof's first signal; for Source zero as it is sent,
    /// and what the coordinator read in the event.
    bytes32 inputHash;
    /// keccak256 of where the input comes from: the URI of Reference and Private, abi.encode(source, query) of Source. Zero
    /// for Data.
    bytes32 originHash;
    /// Zero for the native coin.
    address token;
    /// The price rises from minFee at `start` to maxFee at `rampEnd`, linearly, rounded down.
    uint96 minFee;
    uint96 maxFee;
    /// Least collateral of a claim; the model may demand more.
    uint96 minCollateral;
    /// First second at which it may be claimed or fulfilled. Before it the requester may cancel.
    uint32 start;
    uint32 rampEnd;
    /// Last second at which it may be fulfilled.
    uint32 deadline;
    /// Last second at which it may be made.
    uint32 submitBy;
    /// Seconds for which a claim keeps others out; a claim must leave as many again to the deadline, and 60 at least.
    /// Zero: it can only be fulfilled directly.
    uint32 claimPeriod;
    /// Gas of the consumer's call.
    uint32 callbackGas;
    /// Bits of {Evidence} that the result must carry. A bit that nothing here can provide is refused at once.
    uint32 requiredEvidence;
    /// Whether a model with a development key will do.
    bool allowDevelopmentKeys;
    /// Any number; makes two requests of one requester differ.
    uint64 nonce;
    /// Block at which a Source was read; zero as it is sent, and for the other kinds.
    uint40 readAt;
}

/// @notice How maxFee is paid. Account: from the payer's account here. Direct: with the transaction, by the caller.
enum Payment {
    Account,
    Direct
}

/// @notice Unknown: not made, or reverted with its block. Open and Claimed: may be fulfilled, by anybody or by the claimer
/// only. Fulfilled: has its result, for ever. Expired: has none and never will.
enum RequestStatus {
    Unknown,
    Open,
    Claimed,
    Fulfilled,
    Expired
}

/// @notice What a prover brings. The input is empty if it is private.
struct Answer {
    bytes input;
    bytes output;
    /// First signal of the proof. The other two are computed by the contract, see {ClaimLib}.
    uint256 c;
    /// As in {IGroth16Verifier-verify}.
    uint256[8] proof;
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

/// @dev All that is stored of a request: two slots, both written when it is made. The second holds the input's hash until
/// the output takes its place, because a slot that is changed costs 17,100 gas less than a new one. So a request costs
/// 44k gas of storage and a fulfilment 10k, where the fields one by one would cost 133k and 35k.
struct RequestRecord {
    /// Who claimed it; once fulfilled, who proved it.
    address party;
    /// When it was claimed; once fulfilled, when it was.
    uint32 at;
    /// The model's number in the registry; it has room where the id has not.
    uint32 model;
    /// Position in the prover's list of environments.
    uint16 environment;
    uint8 evidence;
    /// A {RequestStatus}, or UNDELIVERED: fulfilled, and the consumer's call failed.
    uint8 status;
    //
    /// The input's hash; once fulfilled the output, or its hash if it is longer than 32 bytes.
    bytes32 word;
}
