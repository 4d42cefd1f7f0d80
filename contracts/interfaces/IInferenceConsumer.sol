// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {RequestId} from "../types/Request.sol";

/// @title A contract that is called with the answers to its requests
interface IInferenceConsumer {
    /// @notice Called once the result is stored and paid, with the request's callbackGas. Whatever happens here changes
    /// neither: a failure is recorded, and anybody can have the call made again. Check that the caller is the coordinator and
    /// the id one that you asked for: anybody can make a request that names you as its consumer. {InferenceConsumer} does.
    function onInference(RequestId id, bytes calldata output) external;
}
