// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice One tensor of a model: where its integers lie in the bytes of all inputs (or of all outputs), and what they
/// stand for.
struct TensorSpec {
    /// The first byte.
    uint256 offset;
    /// The number of elements.
    uint256 length;
    /// Bytes of an element: 1, 2 or 4.
    uint256 size;
    bool signed;
    /// An integer q stands for q * 2^exponent.
    int256 exponent;
}

/// @title Reads a model's answers with the types, scales and shapes that its publisher registered
/// @notice Tensors lie one after the other, elements in row-major order, each big-endian in its tensor's type (two's
/// complement), with nothing between them (docs/wire-format.md). {IModelRegistry-tensorsOf} describes them: one byte for the
/// number of inputs, one for that of outputs, then each input and each output as
///   one byte   its type: 8, 16 or 32 bits, plus 128 if it is signed
///   one byte   its exponent, an int8
///   one byte   its rank, at most 8
///   four bytes for each dimension, big-endian, never 0.
/// What reads a description takes one that {validate} let pass, as all in the registry are.
library Tensor {
    uint256 internal constant MAX_LENGTH = 1_024;
    uint256 internal constant MAX_RANK = 8;
    /// @notice 2^32 * 10^67 < 2^255: with more, integers of 32 bits would overflow whatever their exponent.
    uint256 internal constant MAX_DECIMALS = 67;
    uint8 private constant SIGNED = 0x80;
    uint8 private constant BITS = 0x7f;
    uint256 private constant COUNTS = 2;
    uint256 private constant HEAD = 3;

    error TensorsTooLong(uint256 length);
    /// @notice The bytes end before what they announce.
    error TensorsCutShort(uint256 length, uint256 expected);
    error TensorsNotEnded(uint256 end, uint256 length);
    /// @param tensor Its position among the inputs and then the outputs, from 0.
    error TensorTypeInvalid(uint256 tensor, uint8 code);
    error TensorRankTooHigh(uint256 tensor, uint256 rank);
    error TensorDimensionZero(uint256 tensor, uint256 axis);
    error TensorTooLarge(uint256 tensor);
    error TensorInputLengthMismatch(uint256 length, uint256 expected);
    error TensorOutputLengthMismatch(uint256 length, uint256 expected);
    error TensorUnknown(uint256 index, uint256 count);
    error ElementUnknown(uint256 element, uint256 length);
    error DecimalsTooMany(uint256 decimals);

    /// @notice Reverts unless `tensors` describes inputs of `inputLength` bytes and outputs of `outputLength` bytes, once
    /// and in full.
    function validate(bytes memory tensors, uint256 inputLength, uint256 outputLength) internal pure {
        require(tensors.length <= MAX_LENGTH, TensorsTooLong(tensors.length));
        require(tensors.length >= COUNTS, TensorsCutShort(tensors.length, COUNTS));
        uint256 inputs = uint8(tensors[0]);
        uint256 outputs = uint8(tensors[1]);
        (uint256 length, uint256 cursor) = _validateAll(tensors, COUNTS, 0, inputs);
        require(length == inputLength, TensorInputLengthMismatch(length, inputLength));
        (length, cursor) = _validateAll(tensors, cursor, inputs, inputs + outputs);
        require(length == outputLength, TensorOutputLengthMismatch(length, outputLength));
        require(cursor == tensors.length, TensorsNotEnded(cursor, tensors.length));
    }

    /// @notice The `index`-th input, from 0.
    function input(bytes memory tensors, uint256 index) internal pure returns (TensorSpec memory spec) {
        (uint256 cursor, uint256 offset) = _find(tensors, false, index);
        (spec, ) = _describe(tensors, cursor);
        spec.offset = offset;
    }

    /// @notice The `index`-th output, from 0.
    function output(bytes memory tensors, uint256 index) internal pure returns (TensorSpec memory spec) {
        (uint256 cursor, uint256 offset) = _find(tensors, true, index);
        (spec, ) = _describe(tensors, cursor);
        spec.offset = offset;
    }

    /// @notice The dimensions of the `index`-th input; the first is the batch, which is 1.
    function inputShape(bytes memory tensors, uint256 index) internal pure returns (uint256[] memory) {
        (uint256 cursor, ) = _find(tensors, false, index);
        return _shape(tensors, cursor);
    }

    /// @notice The dimensions of the `index`-th output; the first is the batch, which is 1.
    function outputShape(bytes memory tensors, uint256 index) internal pure returns (uint256[] memory) {
        (uint256 cursor, ) = _find(tensors, true, index);
        return _shape(tensors, cursor);
    }

    /// @notice The integer of one element (row-major) of `data`, the bytes of all inputs or of all outputs.
    /// @dev Data that is too short panics, as any index beyond an array does.
    function read(bytes memory data, TensorSpec memory spec, uint256 element) internal pure returns (int256) {
        require(element < spec.length, ElementUnknown(element, spec.length));
        uint256 size = spec.size;
        uint256 start = spec.offset + element * size;
        uint256 value = 0;
        for (uint256 i = 0; i < size; ++i) value = (value << 8) | uint8(data[start + i]);
        if (!spec.signed) return int256(value);
        uint256 spare = 256 - 8 * size;
        return int256(value << spare) >> spare; // an arithmetic shift, which keeps the sign
    }

    /// @notice What the element stands for, times 10^decimals, rounded down (-0.5 with no decimals is -1).
    /// @dev Panics (0x11) if that is beyond an int256, which takes an exponent above 0.
    function fixedPoint(
        bytes memory data,
        TensorSpec memory spec,
        uint256 element,
        uint256 decimals
    ) internal pure returns (int256) {
        require(decimals <= MAX_DECIMALS, DecimalsTooMany(decimals));
        int256 scaled = read(data, spec, element) * int256(10 ** decimals);
        // An exponent is an int8: neither shift loses what it should not, and 2^127 is an int256.
        if (spec.exponent < 0) return scaled >> uint256(-spec.exponent);
        return scaled * int256(1 << uint256(spec.exponent));
    }

    /// @notice The position of the largest element; the first one of equals.
    function argmax(bytes memory data, TensorSpec memory spec) internal pure returns (uint256 position) {
        int256 largest = read(data, spec, 0);
        for (uint256 i = 1; i < spec.length; ++i) {
            int256 value = read(data, spec, i);
            if (value > largest) (largest, position) = (value, i);
        }
    }

    /// @dev Bytes of the tensors `first` to before `end`, and where what follows them is described.
    function _validateAll(
        bytes memory tensors,
        uint256 start,
        uint256 first,
        uint256 end
    ) private pure returns (uint256 length, uint256 cursor) {
        cursor = start;
        for (uint256 tensor = first; tensor < end; ++tensor) {
            require(cursor + HEAD <= tensors.length, TensorsCutShort(tensors.length, cursor + HEAD));
            uint8 code = uint8(tensors[cursor]);
            uint256 bits = code & BITS;
            require(bits == 8 || bits == 16 || bits == 32, TensorTypeInvalid(tensor, code));
            uint256 rank = uint8(tensors[cursor + 2]);
            require(rank <= MAX_RANK, TensorRankTooHigh(tensor, rank));
            cursor += HEAD;
            require(cursor + 4 * rank <= tensors.length, TensorsCutShort(tensors.length, cursor + 4 * rank));
            uint256 bytes_ = bits / 8;
            for (uint256 axis = 0; axis < rank; ++axis) {
                uint256 dimension = _dimension(tensors, cursor);
                require(dimension > 0, TensorDimensionZero(tensor, axis));
                bytes_ *= dimension;
                require(bytes_ <= type(uint32).max, TensorTooLarge(tensor));
                cursor += 4;
            }
            length += bytes_;
        }
    }

    /// @dev Where a tensor is described, and the bytes of those before it on its side.
    function _find(
        bytes memory tensors,
        bool isOutput,
        uint256 index
    ) private pure returns (uint256 cursor, uint256 offset) {
        uint256 first = isOutput ? uint8(tensors[0]) : 0;
        uint256 count = uint8(tensors[isOutput ? 1 : 0]);
        require(index < count, TensorUnknown(index, count));
        cursor = COUNTS;
        for (uint256 tensor = 0; tensor < first + index; ++tensor) {
            TensorSpec memory spec;
            (spec, cursor) = _describe(tensors, cursor);
            if (tensor >= first) offset += spec.length * spec.size;
        }
    }

    /// @dev The tensor that is described at `cursor`, but for its offset, and where the next one is.
    function _describe(
        bytes memory tensors,
        uint256 cursor
    ) private pure returns (TensorSpec memory spec, uint256 next) {
        uint8 code = uint8(tensors[cursor]);
        spec.size = (code & BITS) / 8;
        spec.signed = code & SIGNED != 0;
        spec.exponent = int8(uint8(tensors[cursor + 1]));
        next = cursor + HEAD + 4 * uint256(uint8(tensors[cursor + 2]));
        spec.length = 1;
        for (cursor += HEAD; cursor < next; cursor += 4) spec.length *= _dimension(tensors, cursor);
    }

    function _shape(bytes memory tensors, uint256 cursor) private pure returns (uint256[] memory shape) {
        shape = new uint256[](uint8(tensors[cursor + 2]));
        for (uint256 axis = 0; axis < shape.length; ++axis) shape[axis] = _dimension(tensors, cursor + HEAD + 4 * axis);
    }

    function _dimension(bytes memory tensors, uint256 cursor) private pure returns (uint256 dimension) {
        for (uint256 i = 0; i < 4; ++i) dimension = (dimension << 8) | uint8(tensors[cursor + i]);
    }
}
