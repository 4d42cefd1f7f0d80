# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes test/vectors/onnx/node-tests.bin.gz: the ONNX project's own tests of single nodes, with inputs and results.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/fixtures_node_tests.py

The cases are not copied: the onnx package computes them anew from the operators' specification (onnx.backend.test.case.
node). They are Copyright (c) ONNX Project Contributors, under Apache-2.0. Every case is kept with its model, the refused
ones too; inputs and results only of those that Glassbox could read: numbers of types that it takes, few of them.

The file: one line of JSON ({onnx, licence, tensors, cases}), then bytes. Models and tensors are [offset, length] in them.
"constants" are the inputs that an exporter writes as constants: shapes, axes, weights, scales.
"""

import gzip
import json
import random
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
random.seed(0)
np.random.seed(0)

import onnx
from onnx.backend.test.case.node import collect_testcases

FILE = Path(__file__).resolve().parents[2] / "test" / "vectors" / "onnx" / "node-tests.bin.gz"
TYPES = "float32 float64 uint8 int8 uint16 int16 int32 int64 bool".split()
# Elements of all inputs and results of a case together; larger cases are left out, and named.
MOST_ELEMENTS = 20_000
# Cases are stamped with the opset that brought their op, which says nothing of what a person's file has.
OLDEST_OPSET, NEWEST_OPSET, IR_VERSION = 11, 26, 10

# The inputs that exporters write as constants, by op; the others are the model's inputs.
CONSTANTS = {
    "BatchNormalization": [1, 2, 3, 4],
    "Binarizer": [],
    "CastLike": [1],
    "CenterCropPad": [1],
    "Clip": [1, 2],
    "Compress": [1],
    "ConstantOfShape": [0],
    "Conv": [1, 2],
    "ConvInteger": [1, 2, 3],
    "ConvTranspose": [1, 2],
    "CumSum": [1],
    "CumProd": [1],
    "DequantizeLinear": [1, 2],
    "Dropout": [1, 2],
    "Expand": [1],
    "GRU": [1, 2, 3, 4],
    "GatherElements": [1],
    "GatherND": [1],
    "GroupNormalization": [1, 2],
    "InstanceNormalization": [1, 2],
    "LSTM": [1, 2, 3, 4, 7],
    "LayerNormalization": [1, 2],
    "MatMulInteger": [1, 2, 3],
    "NonZero": [0],
    "OneHot": [1, 2],
    "PRelu": [1],
    "Pad": [1, 2, 3],
    "Pow": [1],
    "QLinearConv": [1, 2, 3, 4, 5, 6, 7, 8],
    "QLinearMatMul": [1, 2, 3, 4, 5, 6, 7],
    "QuantizeLinear": [1, 2],
    "RMSNormalization": [1],
    "RNN": [1, 2, 3, 4],
    "Range": [0, 1, 2],
    "Reshape": [1],
    "Resize": [1, 2, 3],
    "ReverseSequence": [1],
    "ScatterElements": [1],
    "ScatterND": [1],
    "Slice": [1, 2, 3, 4],
    "Split": [1],
    "Squeeze": [1],
    "Tile": [1],
    "TopK": [1],
    "Trilu": [1],
    "Unsqueeze": [1],
    "Upsample": [1],
    **{f"Reduce{kind}": [1] for kind in "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split()},
}


def arrays_of(values):
    """The arrays of a data set, or None where one of them is no array of a type that is read, or they are too many."""
    arrays = []
    for value in values:
        array = onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
        if not isinstance(array, (np.ndarray, np.generic)) or str(array.dtype) not in TYPES:
            return None
        arrays.append(np.asarray(array))
    return arrays


def restamp(model):
    """Gives the model an opset that is read, where that changes none of its ops: newer ones only take more types."""
    model.ir_version = min(model.ir_version, IR_VERSION)
    nodes = [node for node in model.graph.node if node.domain == ""]
    for opset in model.opset_import:
        if opset.domain != "" or OLDEST_OPSET <= opset.version <= NEWEST_OPSET:
            continue
        try:
            pairs = [[onnx.defs.get_schema(n.op_type, v, "") for v in (opset.version, NEWEST_OPSET)] for n in nodes]
        except onnx.defs.SchemaError:
            continue
        if opset.version > NEWEST_OPSET:
            same = all(a.name in s.attributes for n, (_, s) in zip(nodes, pairs) for a in n.attribute)
        else:
            same = all(own.since_version == newest.since_version for own, newest in pairs)
        if same:
            opset.version = NEWEST_OPSET
    return model


def main():
    blob, places = bytearray(), {}

    def put(data):
        if data not in places:
            places[data] = [len(blob), len(data)]
            blob.extend(data)
        return places[data]

    tensors, numbers, cases = [], {}, []

    def number(array):
        # Booleans and integers as they are, little-endian throughout.
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        key = (str(array.dtype), array.shape, data)
        if key not in numbers:
            numbers[key] = len(tensors)
            tensors.append([str(array.dtype), list(array.shape), *put(data)])
        return numbers[key]

    tests = collect_testcases(None)
    base = {test.name: test.model.graph.node[0] for test in tests if len(test.model.graph.node) == 1}
    left = []
    for test in sorted(tests, key=lambda test: test.name):
        (inputs, outputs), *more = test.data_sets
        if sum(np.size(value) for value in [*inputs, *outputs] if isinstance(value, np.ndarray)) > MOST_ELEMENTS:
            left.append(test.name)
            continue
        model = restamp(test.model).SerializeToString(deterministic=True)
        case = {"name": test.name.removeprefix("test_"), "model": put(model)}
        arrays = None if more else arrays_of([*inputs, *outputs])
        if arrays is not None:
            node = base.get(test.name.split("_expanded")[0])
            wanted = CONSTANTS.get(node.op_type, []) if node is not None else []
            case["constants"] = [node.input[i] for i in wanted if i < len(node.input) and node.input[i] != ""]
            case["inputs"] = [number(array) for array in arrays[: len(inputs)]]
            case["outputs"] = [number(array) for array in arrays[len(inputs) :]]
        cases.append(case)
    licence = "Cases: Copyright (c) ONNX Project Contributors, Apache-2.0, computed by the onnx package"
    head = {"onnx": onnx.__version__, "licence": licence, "tensors": tensors, "cases": cases}
    text = json.dumps(head, separators=(",", ":")).encode()
    data = gzip.compress(text + b"\n" + bytes(blob), 9, mtime=0)
    FILE.write_bytes(data)
    full = sum("inputs" in case for case in cases)
    print(f"{len(cases)} cases, {full} with inputs and results, {len(data):,} bytes; left out: {' '.join(left)}")


main()
