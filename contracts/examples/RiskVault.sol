// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {InferenceConsumer} from "../InferenceConsumer.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {Tensor} from "../libraries/Tensor.sol";
import {StaticcallSource} from "../sources/StaticcallSource.sol";
import {ModelId} from "../types/Model.sol";
import {Payment, Request, RequestId} from "../types/Request.sol";

/// @title Example: a vault whose large withdrawals a risk model must clear
/// @notice What fits into the day's budget of the whole vault goes out at once. More than that takes a clearance: the model
/// scores the withdrawal by {featuresOf}, which the coordinator reads from this contract itself when the question is
/// asked, so that nobody can bring other features. A low score clears that account for that amount, for an hour.
/// A refused account may ask again as its features change, and a budget is there each day, for whoever is first: one who
/// deposits as much, if only for a transaction, can use it up, and then everybody needs a clearance.
/// Each question is judged alone: what others were cleared for and have not withdrawn is in no feature. A vault that several
/// accounts of one owner must not empty together bounds the day's clearances, too.
contract RiskVault is ERC4626, InferenceConsumer {
    using Tensor for bytes;

    struct Clearance {
        uint192 assets;
        /// Last second of it; of one that is asked for, what it would be.
        uint64 end;
    }

    event ClearanceAsked(address indexed account, RequestId indexed request, uint256 assets);
    event Scored(address indexed account, RequestId indexed request, int256 score, bool cleared);

    error NotEnoughShares(address account, uint256 assets, uint256 held);

    uint256 private constant DAY = 1 days;
    uint256 private constant ONE = 1e18;
    uint8 private constant DECIMALS = 18;
    uint256 private constant FEATURES = 4;
    uint256 private constant CLEARED_FOR = 1 hours;
    /// @dev Seconds within which the model must answer.
    uint256 private constant PERIOD = 10 minutes;
    uint32 private constant FEATURES_GAS = 150_000;

    /// @notice A model from four numbers to one score.
    ModelId public immutable model;
    StaticcallSource public immutable source;
    /// @notice Assets that leave in a day without being looked at.
    uint256 public immutable budget;
    /// @notice The highest score that is cleared, times 10^18.
    int256 public immutable highestScore;
    /// @notice Set for test networks only: whoever made a development key can prove any score.
    bool public immutable allowDevelopmentKeys;

    mapping(address account => Clearance) public clearanceOf;
    /// @dev What is asked for in a pending request.
    mapping(RequestId => Clearance) private _asked;
    /// @dev Mean time at which an account got its shares, weighted by them: dust hardly moves it.
    mapping(address account => uint256) private _heldSince;
    uint256 private _day;
    uint256 private _spent;

    constructor(
        IERC20 asset_,
        IInferenceCoordinator coordinator_,
        ModelId model_,
        StaticcallSource source_,
        uint256 budget_,
        int256 highestScore_,
        bool allowDevelopmentKeys_
    ) ERC20("Risk-gated vault", "RGV") ERC4626(asset_) InferenceConsumer(coordinator_) {
        model = model_;
        source = source_;
        budget = budget_;
        highestScore = highestScore_;
        allowDevelopmentKeys = allowDevelopmentKeys_;
    }

    /// @notice Asks whether the caller may withdraw `assets`; msg.value is the fee, which goes back to the caller's account at
    /// the coordinator if nobody answers.
    function askClearance(uint256 assets) external payable returns (RequestId id) {
        uint256 held = convertToAssets(balanceOf(msg.sender));
        require(assets > 0 && assets <= held, NotEnoughShares(msg.sender, assets, held));
        StaticcallSource.Field[] memory fields = new StaticcallSource.Field[](FEATURES);
        StaticcallSource.Call[] memory calls = new StaticcallSource.Call[](1);
        for (uint16 i = 0; i < FEATURES; ++i) fields[i] = StaticcallSource.Field(i, false, DECIMALS);
        bytes memory call = abi.encodeCall(this.featuresOf, (msg.sender, assets));
        calls[0] = StaticcallSource.Call(address(this), call, FEATURES_GAS, fields);

        Request memory r = _draft(model, msg.value, PERIOD);
        r.payer = msg.sender;
        r.allowDevelopmentKeys = allowDevelopmentKeys;
        bytes memory input = _readFrom(r, address(source), abi.encode(model, true, calls));
        id = _ask(r, input, Payment.Direct, uint160(msg.sender));
        _asked[id] = Clearance(SafeCast.toUint192(assets), uint64(block.timestamp + CLEARED_FOR));
        emit ClearanceAsked(msg.sender, id, assets);
    }

    /// @notice What the model looks at, each times 10^18: the part of the vault that would leave, the part of the account's
    /// own holdings that would leave, how many days the account has held them, the part of the vault that left today.
    function featuresOf(address account, uint256 assets) external view returns (uint256[FEATURES] memory features) {
        uint256 total = totalAssets();
        uint256 left = _spentToday();
        features[0] = Math.mulDiv(assets, ONE, total);
        features[1] = Math.mulDiv(assets, ONE, convertToAssets(balanceOf(account)));
        features[2] = ((block.timestamp - _heldSince[account]) * ONE) / DAY;
        features[3] = Math.mulDiv(left, ONE, total + left);
    }

    /// @inheritdoc ERC4626
    function maxWithdraw(address account) public view override returns (uint256) {
        return Math.min(convertToAssets(balanceOf(account)), _limit(account));
    }

    /// @inheritdoc ERC4626
    function maxRedeem(address account) public view override returns (uint256) {
        (uint256 shares, uint256 limit) = (balanceOf(account), _limit(account));
        return convertToAssets(shares) <= limit ? shares : convertToShares(limit);
    }

    function _onAnswer(RequestId id, uint248 context, bytes calldata output) internal override {
        address account = address(uint160(context));
        int256 score = output.fixedPoint(coordinator.registry().tensorsOf(model).output(0), 0, DECIMALS);
        bool cleared = score <= highestScore;
        // The hour began with the question: an answer that is delivered late clears for less of it.
        if (cleared) clearanceOf[account] = _asked[id];
        delete _asked[id];
        emit Scored(account, id, score, cleared);
    }

    /// @dev The budget first; a clearance is used up by what it let out.
    function _withdraw(
        address caller,
        address receiver,
        address account,
        uint256 assets,
        uint256 shares
    ) internal override {
        if (assets > _budgetLeft()) delete clearanceOf[account];
        (_day, _spent) = (block.timestamp / DAY, _spentToday() + assets);
        super._withdraw(caller, receiver, account, assets, shares);
    }

    function _update(address from, address to, uint256 shares) internal override {
        if (to != address(0) && shares > 0) {
            uint256 before = balanceOf(to);
            _heldSince[to] = (_heldSince[to] * before + block.timestamp * shares) / (before + shares);
        }
        super._update(from, to, shares);
    }

    function _limit(address account) private view returns (uint256) {
        Clearance memory clearance = clearanceOf[account];
        return Math.max(_budgetLeft(), block.timestamp <= clearance.end ? clearance.assets : 0);
    }

    function _budgetLeft() private view returns (uint256) {
        return Math.saturatingSub(budget, _spentToday());
    }

    function _spentToday() private view returns (uint256) {
        return _day == block.timestamp / DAY ? _spent : 0;
    }
}
