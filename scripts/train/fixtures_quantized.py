# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the quantized models that the tests read: test/vectors/onnx/quantized-*.onnx.

A small MLP and a small CNN with seeded weights, run through onnxruntime's
quantize_static in both of its formats. Users of Glassbox never run this
script; its output is committed.

    python scripts/train/fixtures_quantized.py
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

VECTORS = Path(__file__).resolve().parents[2] / "test" / "vectors" / "onnx"
OPSET = 17
U8, S8 = QuantType.QUInt8, QuantType.QInt8


def weights(rng, name, *shape, scale=None):
    fan = int(np.prod(shape[1:])) or 1
    data = rng.normal(size=shape) * (scale or fan**-0.5)
    return numpy_helper.from_array(data.astype(np.float32), name)


def model(nodes, shape, out, initializers):
    """A float model from "x" to "y"."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, out)
    graph = helper.make_graph(nodes, "g", [x], [y], initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(made)
    return onnx.shape_inference.infer_shapes(made)


def mlp(rng):
    n = helper.make_node
    nodes = [
        n("Gemm", ["x", "w1", "b1"], ["h1"], transB=1),
        n("Relu", ["h1"], ["r1"]),
        n("MatMul", ["r1", "w2"], ["h2"]),
        n("Add", ["h2", "b2"], ["a2"]),
        n("Relu", ["a2"], ["r2"]),
        n("Gemm", ["r2", "w3", "b3"], ["y"], transB=1),
    ]
    initializers = [
        weights(rng, "w1", 16, 8), weights(rng, "b1", 16, scale=0.2),
        weights(rng, "w2", 16, 12), weights(rng, "b2", 12, scale=0.2),
        weights(rng, "w3", 5, 12), weights(rng, "b3", 5, scale=0.2),
    ]
    return model(nodes, [1, 8], [1, 5], initializers)


def cnn(rng):
    """Convolutions (one strided, one depthwise), a residual sum, max pooling, a global average and a classifier."""
    n = helper.make_node
    nodes = [
        n("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        n("Relu", ["c1"], ["r1"]),
        n("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1], group=4),
        n("Add", ["c2", "r1"], ["s"]),
        n("Relu", ["s"], ["r2"]),
        n("MaxPool", ["r2"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        n("Conv", ["p", "w3"], ["c3"], strides=[2, 2], pads=[1, 1, 1, 1]),
        n("LeakyRelu", ["c3"], ["l"], alpha=0.1),
        n("GlobalAveragePool", ["l"], ["g"]),
        n("Flatten", ["g"], ["f"]),
        n("Gemm", ["f", "w4", "b4"], ["y"], transB=1),
    ]
    initializers = [
        weights(rng, "w1", 4, 2, 3, 3), weights(rng, "b1", 4, scale=0.2),
        weights(rng, "w2", 4, 1, 3, 3), weights(rng, "b2", 4, scale=0.2),
        weights(rng, "w3", 6, 4, 3, 3),
        weights(rng, "w4", 3, 6), weights(rng, "b4", 3, scale=0.2),
    ]
    return model(nodes, [1, 2, 8, 8], [1, 3], initializers)


def gates(rng):
    """A gate (Sigmoid and Mul of two tensors), a join and an average pool between convolutions."""
    n = helper.make_node
    nodes = [
        n("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 1, 1, 1]),
        n("Conv", ["x", "w2", "b2"], ["b"], pads=[1, 1, 1, 1]),
        n("Sigmoid", ["b"], ["gate"]),
        n("Mul", ["a", "gate"], ["m"]),
        n("Concat", ["m", "x"], ["j"], axis=1),
        n("Conv", ["j", "w3", "b3"], ["c"]),
        n("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        n("Reshape", ["t", "shape"], ["y"]),
    ]
    initializers = [
        weights(rng, "w1", 3, 2, 3, 3), weights(rng, "b1", 3, scale=0.2),
        weights(rng, "w2", 3, 2, 3, 3), weights(rng, "b2", 3, scale=0.2),
        weights(rng, "w3", 4, 5, 2, 2), weights(rng, "b3", 4, scale=0.2),
        numpy_helper.from_array(np.array([1, -1], dtype=np.int64), "shape"),
    ]
    return model(nodes, [1, 2, 4, 4], [1, 36], initializers)


class Reader(CalibrationDataReader):
    def __init__(self, shape, rng, count=64):
        self.samples = iter([{"x": rng.normal(size=shape).astype(np.float32)} for _ in range(count)])

    def get_next(self):
        return next(self.samples, None)


VARIANTS = {
    "qdq-u8s8": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=S8, reduce_range=True),
    "qdq-u8s8-channels": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=S8, reduce_range=True,
                              per_channel=True),
    "qdq-s8s8-channels": dict(quant_format=QuantFormat.QDQ, activation_type=S8, weight_type=S8, per_channel=True),
    "qop-u8u8": dict(quant_format=QuantFormat.QOperator, activation_type=U8, weight_type=U8),
    "qop-u8s8-channels": dict(quant_format=QuantFormat.QOperator, activation_type=U8, weight_type=S8, reduce_range=True,
                              per_channel=True),
    "qop-s8s8": dict(quant_format=QuantFormat.QOperator, activation_type=S8, weight_type=S8),
}


def main():
    VECTORS.mkdir(parents=True, exist_ok=True)
    for name, build in {"mlp": mlp, "cnn": cnn, "gates": gates}.items():
        for variant, options in VARIANTS.items():
            made = build(np.random.default_rng(11))
            shape = [d.dim_value for d in made.graph.input[0].type.tensor_type.shape.dim]
            file = VECTORS / f"quantized-{name}-{variant}.onnx"
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder) / "float.onnx"
                onnx.save(made, source)
                quantize_static(source, file, Reader(shape, np.random.default_rng(5)), **options)
            print(file.name, file.stat().st_size, sorted({n.op_type for n in onnx.load(file).graph.node}))


if __name__ == "__main__":
    main()
