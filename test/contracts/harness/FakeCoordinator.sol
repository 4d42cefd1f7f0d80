// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IInferenceConsumer} from "../../../contracts/interfaces/IInferenceConsumer.sol";
import {ModelId} from "../../../contracts/types/Model.sol";
import {Payment, Request, RequestId, Result} from "../../../contracts/types/Request.sol";

/// @notice A coordinator that answers what it is told, for what the real one can not be made to do.
contract FakeCoordinator {
    address public registry;
    Result private _result;

    function request(Request calldata, bytes calldata, Payment) external payable returns (RequestId) {
        return RequestId.wrap(bytes32(uint256(1)));
    }

    function setRegistry(address registry_) external {
        registry = registry_;
    }

    function deliver(IInferenceConsumer consumer, RequestId id, bytes calldata output) external {
        consumer.onInference(id, output);
    }

    function set(Result calldata result_) external {
        _result = result_;
    }

    function idOf(Request calldata) external pure returns (RequestId) {
        return RequestId.wrap(bytes32(uint256(1)));
    }

    function resultOf(RequestId) external view returns (Result memory) {
        return _result;
    }

    function requireResult(RequestId, ModelId, uint256) external view returns (Result memory) {
        return _result;
    }
}
