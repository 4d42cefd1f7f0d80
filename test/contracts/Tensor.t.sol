// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {TensorSpec} from "../../contracts/libraries/Tensor.sol";
import {TensorHarness} from "./harness/TensorHarness.sol";

/// @notice Any description of tensors reads back as it was written, and so does any data; what is no description is refused
/// with a reason.
contract TensorTest {
    struct Written {
        bytes description;
        uint256[2] counts;
        /// Of all inputs and of all outputs.
        uint256[2] lengths;
        /// Inputs first.
        TensorSpec[] specs;
        uint32[][] shapes;
    }

    TensorHarness private tensors;

    function setUp() external {
        tensors = new TensorHarness();
    }

    function testFuzz_descriptionsReadBack(uint256 seed) external view {
        Written memory w = _write(seed);
        tensors.validate(w.description, w.lengths[0], w.lengths[1]);
        for (uint256 side = 0; side < 2; ++side) {
            for (uint256 i = 0; i < w.counts[side]; ++i) {
                uint256 place = side * w.counts[0] + i;
                TensorSpec memory spec = side == 0 ? tensors.input(w.description, i) : tensors.output(w.description, i);
                assert(keccak256(abi.encode(spec)) == keccak256(abi.encode(w.specs[place])));
                uint256[] memory shape =
                    side == 0 ? tensors.inputShape(w.description, i) : tensors.outputShape(w.description, i);
                assert(keccak256(abi.encode(shape)) == keccak256(abi.encode(w.shapes[place])));
            }
        }
        assert(!_done(abi.encodeCall(tensors.input, (w.description, w.counts[0]))));
        assert(!_done(abi.encodeCall(tensors.output, (w.description, w.counts[1]))));
    }

    function testFuzz_onlyTheWholeDescriptionIsValid(uint256 seed, uint8 where, uint8 change) external view {
        Written memory w = _write(seed);
        (bytes memory d, uint256 inputs, uint256 outputs) = (w.description, w.lengths[0], w.lengths[1]);
        assert(!_done(abi.encodeCall(tensors.validate, (d, inputs + 1, outputs))));
        assert(!_done(abi.encodeCall(tensors.validate, (d, inputs, outputs + 1))));
        assert(!_done(abi.encodeCall(tensors.validate, (bytes.concat(d, hex"00"), inputs, outputs))));
        bytes memory cut = new bytes(where % d.length);
        for (uint256 i = 0; i < cut.length; ++i) cut[i] = d[i];
        assert(!_done(abi.encodeCall(tensors.validate, (cut, inputs, outputs))));
        // With a byte changed it may be another description, which then can be read, or none.
        uint256 place = where % d.length;
        d[place] ^= bytes1(change == 0 ? 1 : change);
        if (!_done(abi.encodeCall(tensors.validate, (d, inputs, outputs)))) return;
        uint256 length = 0;
        for (uint256 i = 0; i < uint8(d[0]); ++i) {
            TensorSpec memory spec = tensors.input(d, i);
            assert(spec.offset == length);
            length += spec.length * spec.size;
        }
        assert(length == inputs);
    }

    function testFuzz_elementsReadBack(int256[8] calldata values, uint8 size, bool signed, uint8 offset) external view {
        TensorSpec memory spec;
        (spec.offset, spec.length, spec.size, spec.signed) = (offset % 5, 8, [1, 2, 4][size % 3], signed);
        bytes memory data = new bytes(spec.offset);
        int256[8] memory written;
        uint256 largest = 0;
        for (uint256 i = 0; i < 8; ++i) {
            (written[i], data) = _append(data, values[i], spec.size, signed);
            if (written[i] > written[largest]) largest = i;
        }
        for (uint256 i = 0; i < 8; ++i) assert(tensors.read(data, spec, i) == written[i]);
        assert(tensors.argmax(data, spec) == largest);
        assert(!_done(abi.encodeCall(tensors.read, (data, spec, 8))));
    }

    function testFuzz_fixedPointIsRoundedDown(int32 value, int8 exponent, uint8 decimals) external view {
        decimals %= 68;
        TensorSpec memory spec = TensorSpec(0, 1, 4, true, exponent);
        bytes memory call = abi.encodeCall(tensors.fixedPoint, (abi.encodePacked(value), spec, 0, decimals));
        int256 scaled = int256(value) * int256(10 ** uint256(decimals));
        if (exponent >= 0) {
            int256 factor = int256(2 ** uint256(uint8(exponent)));
            int256 limit = type(int256).max / factor;
            if (scaled > limit || scaled < -limit) return;
            assert(_value(call) == scaled * factor);
        } else {
            // The largest integer that times 2^-exponent is not above: held by that, not by a division.
            int256 result = _value(call);
            uint256 divisor = 2 ** uint256(-int256(exponent));
            int256 rest = scaled - result * int256(divisor);
            assert(rest >= 0 && uint256(rest) < divisor);
        }
    }

    // ---- parts ----

    /// @dev No, one or more inputs and outputs of all types, of rank 0 to 3.
    function _write(uint256 seed) private pure returns (Written memory w) {
        seed = uint256(keccak256(abi.encode(seed)));
        w.counts = [seed % 3, (seed >> 8) % 4];
        uint256 count = w.counts[0] + w.counts[1];
        (w.specs, w.shapes) = (new TensorSpec[](count), new uint32[][](count));
        w.description = abi.encodePacked(uint8(w.counts[0]), uint8(w.counts[1]));
        for (uint256 i = 0; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 side = i < w.counts[0] ? 0 : 1;
            TensorSpec memory spec = w.specs[i];
            (spec.offset, spec.length) = (w.lengths[side], 1);
            spec.size = [1, 2, 4][(seed >> 16) % 3];
            (spec.signed, spec.exponent) = (seed >> 255 == 1, int8(uint8(seed >> 24)));
            w.shapes[i] = new uint32[]((seed >> 32) % 4);
            bytes memory dimensions;
            for (uint256 j = 0; j < w.shapes[i].length; ++j) {
                w.shapes[i][j] = 1 + uint32((seed >> (40 + 32 * j)) % (j == 0 ? 70_000 : 5));
                spec.length *= w.shapes[i][j];
                dimensions = abi.encodePacked(dimensions, w.shapes[i][j]);
            }
            w.lengths[side] += spec.length * spec.size;
            uint8 code = uint8(8 * spec.size + (spec.signed ? 128 : 0));
            uint8 rank = uint8(w.shapes[i].length);
            w.description = abi.encodePacked(w.description, code, int8(spec.exponent), rank, dimensions);
        }
    }

    function _append(
        bytes memory data,
        int256 value,
        uint256 size,
        bool signed
    ) private pure returns (int256, bytes memory) {
        if (size == 1 && signed) return (int8(value), abi.encodePacked(data, int8(value)));
        if (size == 1) return (int256(uint256(uint8(int8(value)))), abi.encodePacked(data, uint8(int8(value))));
        if (size == 2 && signed) return (int16(value), abi.encodePacked(data, int16(value)));
        if (size == 2) return (int256(uint256(uint16(int16(value)))), abi.encodePacked(data, uint16(int16(value))));
        if (signed) return (int32(value), abi.encodePacked(data, int32(value)));
        return (int256(uint256(uint32(int32(value)))), abi.encodePacked(data, uint32(int32(value))));
    }

    /// @dev Whether the call succeeds; if not, with a reason that is no panic.
    function _done(bytes memory data) private view returns (bool done) {
        bytes memory reason;
        (done, reason) = address(tensors).staticcall(data);
        assert(done || (reason.length >= 4 && bytes4(reason) != 0x4e487b71));
    }

    function _value(bytes memory data) private view returns (int256) {
        (bool done, bytes memory result) = address(tensors).staticcall(data);
        assert(done);
        return abi.decode(result, (int256));
    }
}
