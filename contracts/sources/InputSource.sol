// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {Tensor, TensorSpec} from "../libraries/Tensor.sol";
import {ModelId} from "../types/Model.sol";

/// @title Base of sources: spells the numbers that were read as the input of a model
/// @notice A number is rounded to the nearest integer of the tensor's scale, halves up (2.5 is 3, -2.5 is -2), as the compiler
/// and the command line do it. What the tensor's type does not hold is refused, or becomes the type's nearest bound if the
/// query says `clamp`. Types and scales are those that the publisher registered ({IModelRegistry-tensorsOf}).
abstract contract InputSource is IInputSource, ERC165 {
    /// @notice numerator / denominator, negated if `negative`.
    struct Number {
        bool negative;
        uint256 numerator;
        uint256 denominator;
    }

    error ElementCountMismatch(uint256 numbers, uint256 elements);
    /// @param element Its position in the whole input, from 0.
    /// @param magnitude The integer that the number would be, without its sign; type(uint256).max for all above it.
    error NumberOutOfRange(uint256 element, bool negative, uint256 magnitude);
    error DecimalsTooMany(uint256 decimals);

    uint256 internal constant MAX_DECIMALS = 38;

    IModelRegistry public immutable registry;

    constructor(IModelRegistry registry_) {
        registry = registry_;
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IInputSource).interfaceId || super.supportsInterface(id);
    }

    /// @dev An EVM word with `decimals` digits behind the point.
    function _decimal(uint256 word, bool signed, uint256 decimals) internal pure returns (Number memory) {
        require(decimals <= MAX_DECIMALS, DecimalsTooMany(decimals));
        bool negative = signed && int256(word) < 0;
        // The magnitude of the lowest int256 is one above the highest: only unchecked arithmetic has it.
        unchecked {
            return Number(negative, negative ? 0 - word : word, 10 ** decimals);
        }
    }

    /// @dev The bytes of all inputs of `model`, of which `numbers` are the elements in order. Denominators are at most 10^38.
    function _spell(ModelId model, Number[] memory numbers, bool clamp) internal view returns (bytes memory input) {
        bytes memory tensors = registry.tensorsOf(model);
        input = new bytes(registry.headOf(model).inputLength);
        uint256 element = 0;
        for (uint256 i = 0; i < uint8(tensors[0]); ++i) {
            TensorSpec memory spec = Tensor.input(tensors, i);
            require(
                element + spec.length <= numbers.length,
                ElementCountMismatch(numbers.length, element + spec.length)
            );
            for (uint256 k = 0; k < spec.length; ++k) {
                Number memory number = numbers[element];
                uint256 magnitude = _scaled(number, spec.exponent);
                uint256 bound = _bound(number.negative, spec);
                if (magnitude > bound) {
                    require(clamp, NumberOutOfRange(element, number.negative, magnitude));
                    magnitude = bound;
                }
                _write(input, spec.offset + k * spec.size, spec.size, number.negative, magnitude);
                ++element;
            }
        }
        require(element == numbers.length, ElementCountMismatch(numbers.length, element));
    }

    /// @dev The magnitude of number * 2^-exponent, rounded to the nearest, halves up.
    function _scaled(Number memory number, int256 exponent) private pure returns (uint256 magnitude) {
        // An exponent is an int8: the factor is at most 2^128, the divisor below 2^254.
        uint256 factor = exponent < 0 ? 1 << uint256(-exponent) : 1;
        uint256 divisor = number.denominator << (exponent > 0 ? uint256(exponent) : 0);
        (uint256 high, ) = Math.mul512(number.numerator, factor);
        if (high >= divisor) return type(uint256).max;
        magnitude = Math.mulDiv(number.numerator, factor, divisor);
        if (magnitude > type(uint32).max) return magnitude; // beyond every type, however it is rounded
        uint256 rest = mulmod(number.numerator, factor, divisor);
        uint256 missing = divisor - rest;
        if (number.negative ? rest > missing : rest >= missing) ++magnitude;
    }

    function _bound(bool negative, TensorSpec memory spec) private pure returns (uint256) {
        uint256 bits = 8 * spec.size;
        if (!spec.signed) return negative ? 0 : (1 << bits) - 1;
        return negative ? 1 << (bits - 1) : (1 << (bits - 1)) - 1;
    }

    /// @dev Big-endian, two's complement.
    function _write(bytes memory data, uint256 start, uint256 size, bool negative, uint256 magnitude) private pure {
        uint256 value = negative ? (1 << (8 * size)) - magnitude : magnitude;
        for (uint256 i = size; i > 0; --i) {
            data[start + i - 1] = bytes1(uint8(value));
            value >>= 8;
        }
    }
}
