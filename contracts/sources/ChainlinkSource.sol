// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {ModelId} from "../types/Model.sol";
import {InputSource} from "./InputSource.sol";

/// @notice The part of Chainlink's AggregatorV3Interface that is read here.
interface IAggregatorV3 {
    function decimals() external view returns (uint8);

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}

/// @title Reads a model's input from feeds of Chainlink's form: prices, rates, reserves
/// @notice An answer that is not above zero, or older than the query allows, is refused, and the request with it. On a
/// rollup, have a requester look at the sequencer's own feed as well: a feed cannot be newer than the chain.
contract ChainlinkSource is InputSource {
    struct Feed {
        IAggregatorV3 feed;
        /// In seconds; the feed's heartbeat and a little more.
        uint32 maxAge;
    }

    error FeedsTooMany(uint256 feeds);
    error AnswerNotPositive(IAggregatorV3 feed, int256 answer);
    /// @notice Also for an answer from the future.
    error AnswerTooOld(IAggregatorV3 feed, uint256 updatedAt, uint256 time);

    uint256 public constant MAX_FEEDS = 64;

    // solhint-disable-next-line no-empty-blocks
    constructor(IModelRegistry registry_) InputSource(registry_) {}

    /// @param query abi.encode(ModelId model, bool clamp, Feed[] feeds): the feeds' answers, in order, are the elements of the
    /// model's inputs.
    function read(bytes calldata query) external view returns (bytes memory) {
        (ModelId model, bool clamp, Feed[] memory feeds) = abi.decode(query, (ModelId, bool, Feed[]));
        require(feeds.length <= MAX_FEEDS, FeedsTooMany(feeds.length));
        Number[] memory numbers = new Number[](feeds.length);
        for (uint256 i = 0; i < feeds.length; ++i) {
            IAggregatorV3 feed = feeds[i].feed;
            (, int256 answer, , uint256 updatedAt, ) = feed.latestRoundData();
            require(answer > 0, AnswerNotPositive(feed, answer));
            bool young = updatedAt <= block.timestamp && block.timestamp - updatedAt <= feeds[i].maxAge;
            require(young, AnswerTooOld(feed, updatedAt, block.timestamp));
            numbers[i] = _decimal(uint256(answer), false, feed.decimals());
        }
        return _spell(model, numbers, clamp);
    }
}
