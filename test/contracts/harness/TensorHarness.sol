// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Tensor, TensorSpec} from "../../../contracts/libraries/Tensor.sol";

/// @notice Opens Tensor to the tests and to the vectors of test/vectors/wire.json.
contract TensorHarness {
    function validate(bytes calldata tensors, uint256 inputLength, uint256 outputLength) external pure {
        Tensor.validate(tensors, inputLength, outputLength);
    }

    function input(bytes calldata tensors, uint256 index) external pure returns (TensorSpec memory) {
        return Tensor.input(tensors, index);
    }

    function output(bytes calldata tensors, uint256 index) external pure returns (TensorSpec memory) {
        return Tensor.output(tensors, index);
    }

    function inputShape(bytes calldata tensors, uint256 index) external pure returns (uint256[] memory) {
        return Tensor.inputShape(tensors, index);
    }

    function outputShape(bytes calldata tensors, uint256 index) external pure returns (uint256[] memory) {
        return Tensor.outputShape(tensors, index);
    }

    function read(bytes calldata data, TensorSpec calldata spec, uint256 element) external pure returns (int256) {
        return Tensor.read(data, spec, element);
    }

    /// @notice All elements.
    function readAll(bytes calldata data, TensorSpec calldata spec) external pure returns (int256[] memory values) {
        values = new int256[](spec.length);
        for (uint256 i = 0; i < spec.length; ++i) values[i] = Tensor.read(data, spec, i);
    }

    function fixedPoint(
        bytes calldata data,
        TensorSpec calldata spec,
        uint256 element,
        uint256 decimals
    ) external pure returns (int256) {
        return Tensor.fixedPoint(data, spec, element, decimals);
    }

    function argmax(bytes calldata data, TensorSpec calldata spec) external pure returns (uint256) {
        return Tensor.argmax(data, spec);
    }

    /// @notice What the documents say of abi.encodePacked.
    function packed(
        bool a,
        uint8 b,
        int8 c,
        uint16 d,
        int16 e,
        uint32 f,
        int32 g
    ) external pure returns (bytes memory) {
        return abi.encodePacked(a, b, c, d, e, f, g);
    }
}
