// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IModelRegistry} from "../../../contracts/interfaces/IModelRegistry.sol";
import {KeyKind, Model, ModelId, ModelParams, Sample, SeriesId} from "../../../contracts/types/Model.sol";
import {Act, Books, Dice} from "./Books.sol";
import {Scene} from "./Scene.sol";
import {Spec} from "./Spec.sol";

/// @notice The part of the crowd that publishes: series change hands, versions come, are deprecated and retired.
abstract contract Publishers is Books {
    constructor(Scene scene_) {
        for (uint256 i = 0; i < 4; ++i) {
            _learn(scene_.models(i), scene_.series(i % 2 == 0 ? 1 : 0), scene_.paramsAt(i));
        }
    }

    function publish(uint256 seed) external {
        Dice memory dice = Dice(seed);
        uint256 act = _next(dice, 6);
        if (act == 0) _offer(dice);
        else if (act == 1) _accept(dice);
        else if (act == 2) _deprecate(dice);
        else if (act == 3) _retire(dice);
        else _register(dice);
    }

    /// @dev What the registry will have to say of a model for ever. The record's rest is taken once, when it is new.
    function _learn(ModelId model, SeriesId id, ModelParams memory params) internal {
        models.push(model);
        policies[model] = Policy({
            series: id,
            inputLength: params.inputLength,
            outputLength: params.outputLength,
            development: params.keyKind == KeyKind.Development,
            inputKinds: params.inputKinds,
            collateralBps: params.collateralBps,
            royaltyBps: params.royaltyBps,
            successor: ModelId.wrap(0),
            retired: false,
            rest: restOf(model)
        });
        versions[id].push(model);
        Model memory record = registry.modelOf(model);
        bool whole =
            keccak256(record.tensors) == keccak256(params.tensors) &&
                record.sourceDigest == params.sourceDigest &&
                record.manifestDigest == params.manifestDigest &&
                record.registeredAt == block.timestamp;
        _expect(whole, "a model is recorded otherwise than it was registered");
    }

    /// @notice All that may never change: the record without its two one-way marks, and the key itself.
    function restOf(ModelId model) public view returns (bytes32) {
        Model memory record = registry.modelOf(model);
        (record.successor, record.retired) = (ModelId.wrap(0), false);
        return keccak256(abi.encode(record, registry.keyOf(model), registry.tensorsOf(model)));
    }

    function _owner(Dice memory dice, SeriesId id) private view returns (address) {
        return _next(dice, 6) == 0 ? _person(dice) : ownerships[id].owner;
    }

    function _offer(Dice memory dice) private {
        SeriesId id = series[_next(dice, 2)];
        address from = _owner(dice, id);
        address to = _next(dice, 8) == 0 ? address(0) : _person(dice);
        bytes memory data = abi.encodeCall(IModelRegistry.offerSeries, (id, to));
        if (_registry(Act.OfferSeries, from, data, from == ownerships[id].owner)) ownerships[id].pending = to;
    }

    function _accept(Dice memory dice) private {
        SeriesId id = series[_next(dice, 2)];
        address to = ownerships[id].pending;
        if (to == address(0) || _next(dice, 4) == 0) to = _person(dice);
        bytes memory data = abi.encodeCall(IModelRegistry.acceptSeries, (id));
        if (_registry(Act.AcceptSeries, to, data, to == ownerships[id].pending)) {
            (ownerships[id].owner, ownerships[id].pending) = (to, address(0));
        }
    }

    function _deprecate(Dice memory dice) private {
        ModelId model = models[_next(dice, models.length)];
        ModelId successor = models[_next(dice, models.length)];
        if (_next(dice, 8) == 0) successor = ModelId.wrap(keccak256("unknown"));
        SeriesId id = policies[model].series;
        address from = _owner(dice, id);
        bool known = policies[successor].rest != 0 && ModelId.unwrap(successor) != ModelId.unwrap(model);
        bytes memory data = abi.encodeCall(IModelRegistry.deprecate, (model, successor));
        bool done = _registry(Act.Deprecate, from, data, known && from == ownerships[id].owner);
        if (done) policies[model].successor = successor;
    }

    /// @dev Seldom one of the first four, so that there stays something to ask.
    function _retire(Dice memory dice) private {
        uint256 first = _next(dice, 8) == 0 ? 0 : 4;
        if (models.length <= first) return;
        ModelId model = models[first + _next(dice, models.length - first)];
        SeriesId id = policies[model].series;
        address from = _owner(dice, id);
        bool due = from == ownerships[id].owner && !policies[model].retired;
        bytes memory data = abi.encodeCall(IModelRegistry.retire, (model));
        if (_registry(Act.Retire, from, data, due)) policies[model].retired = true;
    }

    /// @dev A further version, or one that must be refused: of a stranger, with terms out of bounds, with a false sample.
    function _register(Dice memory dice) private {
        uint256 which = _next(dice, 2);
        SeriesId id = series[which];
        ModelParams memory params = scene.paramsAt(_next(dice, 4));
        if (_next(dice, 8) != 0) params.sourceDigest = bytes32(dice.state);
        (params.collateralBps, params.royaltyBps) = (uint16(_next(dice, 65_536)), uint16(_next(dice, 2_501)));
        uint256 lie = _next(dice, 20);
        if (lie == 0) params.royaltyBps = 2_501;
        if (lie == 1) params.inputKinds = 9;
        if (lie == 2) params.outputLength += 1;
        if (lie == 3) params.quantizedDigest = 0;
        uint256 keyNumber = 4 + _next(dice, 3);
        address from = _owner(dice, id);
        Sample memory sample = scene.sampleOf(from, id, params, keyNumber);
        if (lie == 4) sample.proof[_next(dice, 8)] ^= 1;
        if (lie == 5) sample.output[0] = 0x01;
        if (lie == 6) sample = scene.sampleOf(from, id, params, keyNumber + 1);
        if (lie == 7) sample = scene.sampleOf(address(this), id, params, keyNumber);
        bytes memory key = scene.keyAt(keyNumber);
        ModelId model = Spec.modelId(id, params, key);
        bool allowed = params.keyKind == KeyKind.Ceremony || which == 0;
        bool due = lie > 7 && allowed && from == ownerships[id].owner && policies[model].rest == 0;
        bytes memory data = abi.encodeCall(IModelRegistry.register, (id, params, key, sample));
        if (!_registry(Act.Register, from, data, due)) return;
        scene.setKeyNumber(model, keyNumber);
        _learn(model, id, params);
    }

    function _registry(Act act, address from, bytes memory data, bool due) private returns (bool done) {
        (done, ) = _call(act, from, address(registry), 0, 10_000_000, data, due);
    }
}
