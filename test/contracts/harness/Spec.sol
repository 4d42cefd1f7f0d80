// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ModelId, ModelParams, SeriesId} from "../../../contracts/types/Model.sol";
import {Request, RequestId} from "../../../contracts/types/Request.sol";

/// @notice What the documents say, slow and plain and by other formulas than the contracts'; the tests hold the two equal.
library Spec {
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @notice maxFee, less a share for every second that is left to rampEnd, rounded up.
    function price(Request memory r, uint256 time) internal pure returns (uint256) {
        if (time < r.start) return r.minFee;
        if (time > r.rampEnd || r.start == r.rampEnd) return r.maxFee;
        (uint256 left, uint256 ramp) = (r.rampEnd - time, r.rampEnd - r.start);
        return r.maxFee - ((uint256(r.maxFee) - r.minFee) * left + ramp - 1) / ramp;
    }

    function collateral(Request memory r, uint256 price_, uint256 bps) internal pure returns (uint256) {
        if (uint256(r.minCollateral) * 10_000 >= price_ * bps) return r.minCollateral;
        return (price_ * bps - ((price_ * bps) % 10_000)) / 10_000;
    }

    /// @notice Last second of a claim that was made at `time`.
    function claimEnd(Request memory r, uint256 time) internal pure returns (uint256) {
        return time + r.claimPeriod;
    }

    /// @notice Last second at which a claim leaves as much time again as it lasts, and a minute; may be before the start.
    function lastClaim(Request memory r) internal pure returns (int256) {
        uint256 rest = r.claimPeriod > 60 ? r.claimPeriod : 60;
        return int256(uint256(r.deadline)) - int256(r.claimPeriod + rest);
    }

    /// @notice The EIP-712 digest, field by field.
    function requestId(Request memory r, address coordinator) internal view returns (RequestId) {
        bytes32 typeHash = keccak256(
            "Request(address requester,address payer,address consumer,address prover,bytes32 model,uint8 inputKind,bytes32 inputHash,bytes32 originHash,address token,uint96 minFee,uint96 maxFee,uint96 minCollateral,uint32 start,uint32 rampEnd,uint32 deadline,uint32 submitBy,uint32 claimPeriod,uint32 callbackGas,uint32 requiredEvidence,bool allowDevelopmentKeys,uint64 nonce,uint40 readAt)"
        );
        bytes memory text = abi.encode(typeHash, r.requester, r.payer, r.consumer, r.prover, r.model, r.inputKind);
        text = bytes.concat(text, abi.encode(r.inputHash, r.originHash, r.token, r.minFee, r.maxFee, r.minCollateral));
        text = bytes.concat(text, abi.encode(r.start, r.rampEnd, r.deadline, r.submitBy, r.claimPeriod));
        text = bytes.concat(
            text,
            abi.encode(r.callbackGas, r.requiredEvidence, r.allowDevelopmentKeys, r.nonce, r.readAt)
        );
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Glassbox"),
                keccak256("1"),
                block.chainid,
                coordinator
            )
        );
        return RequestId.wrap(keccak256(abi.encodePacked(hex"1901", domain, keccak256(text))));
    }

    function modelId(SeriesId series, ModelParams memory p, bytes memory key) internal pure returns (ModelId) {
        bytes memory text = abi.encode(
            keccak256("glassbox.model.v1"),
            series,
            p.sourceDigest,
            p.quantizedDigest,
            p.circuitDigest,
            p.manifestDigest,
            keccak256(key)
        );
        text = bytes.concat(text, abi.encode(p.keyKind, p.inputLength, p.outputLength, p.inputKinds));
        text = bytes.concat(text, abi.encode(p.collateralBps, p.royaltyBps, keccak256(p.tensors)));
        return ModelId.wrap(keccak256(text));
    }

    /// @notice The signals [c, v, r].
    function signals(
        string memory domain,
        address subject,
        bytes32 request,
        bytes32 model,
        address prover,
        uint256 c,
        bytes memory input,
        bytes32 inputHash,
        bytes memory output
    ) internal view returns (uint256[3] memory) {
        bytes memory text = abi.encode(keccak256(bytes(domain)), block.chainid, subject, request, model, prover, c);
        uint256 r = uint256(keccak256(bytes.concat(text, abi.encode(inputHash, keccak256(output))))) % R;
        return [c, fingerprint(input, output, r), r];
    }

    /// @notice v: bytes to words one byte at a time, powers of r one at a time.
    function fingerprint(bytes memory input, bytes memory output, uint256 r) internal pure returns (uint256 v) {
        uint256 power = r;
        (v, power) = _add(input, r, v, power);
        (v, power) = _add(output, r, v, power);
    }

    function _add(bytes memory data, uint256 r, uint256 v, uint256 power) private pure returns (uint256, uint256) {
        for (uint256 from = 0; from < data.length; from += 31) {
            uint256 word = 0;
            for (uint256 i = from; i < from + 31; ++i) word = word * 256 + (i < data.length ? uint8(data[i]) : 0);
            v = addmod(v, mulmod(word, power, R), R);
            power = mulmod(power, r, R);
        }
        return (v, power);
    }
}
