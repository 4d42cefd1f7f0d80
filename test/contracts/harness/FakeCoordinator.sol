// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ModelId} from "../../../contracts/types/Model.sol";
import {RequestId, Result, Terms} from "../../../contracts/types/Request.sol";

/// @notice A coordinator that answers what it is told, for what the real one can not be made to do.
contract FakeCoordinator {
    Result private _result;

    function request(ModelId, bytes calldata, uint64, Terms calldata) external payable returns (RequestId) {
        return RequestId.wrap(bytes32(uint256(1)));
    }

    function set(Result calldata result_) external {
        _result = result_;
    }

    function result(RequestId) external view returns (Result memory) {
        return _result;
    }
}
