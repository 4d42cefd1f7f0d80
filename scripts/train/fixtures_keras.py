# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes test/vectors/onnx/keras-*.onnx: nets as Keras 3 and tf2onnx write them.

Run (from anywhere, in a Python 3.11 environment with requirements_keras.txt, which does not agree with requirements.txt):
    python scripts/train/fixtures_keras.py

The weights are random (seeded): the tests compare the reader with onnxruntime on the same file. Recurrent layers are exported
with unroll=True; without it tf2onnx writes a Loop, which has no circuit.
"""

import os
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

L = keras.layers
FOLDER = Path(__file__).resolve().parents[2] / "test" / "vectors" / "onnx"


def cnn():
    x = inputs = keras.Input((12, 12, 3))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3, padding="same")(x)))
    x = L.SeparableConv2D(8, 3, activation="relu")(L.MaxPooling2D()(x))
    x = L.Dropout(0.3)(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, L.Dense(4, activation="softmax")(x))


def recurrent():
    x = inputs = keras.Input((3, 5))
    x = L.Bidirectional(L.GRU(4, return_sequences=True, unroll=True))(x)
    return keras.Model(inputs, L.Dense(3)(L.LSTM(5, unroll=True)(x)))


def attention():
    x = inputs = keras.Input((8,), dtype="int32")
    x = L.Embedding(12, 8)(x)
    normal = L.LayerNormalization()(x)
    x = L.Add()([x, L.MultiHeadAttention(2, 4)(normal, normal)])
    gelu = L.Dense(8, activation=lambda v: keras.activations.gelu(v, approximate=True))
    return keras.Model(inputs, L.Dense(3)(L.Flatten()(gelu(L.LayerNormalization()(x)))))


def main():
    keras.utils.set_random_seed(7)
    for make in (cnn, recurrent, attention):
        model = make()
        for weight in model.weights:
            if "variance" in weight.path:
                weight.assign(np.abs(np.random.randn(*weight.shape)) + 0.5)
            elif any(part in weight.path for part in ("mean", "bias", "beta")):
                weight.assign(np.random.randn(*weight.shape) * 0.2)
        given = model.inputs[0]
        spec = [tf.TensorSpec((1,) + given.shape[1:], given.dtype, name="x")]
        call = tf.function(lambda x, model=model: model(x, training=False), input_signature=spec)
        exported, _ = tf2onnx.convert.from_function(call, input_signature=spec, opset=17)
        onnx.save(exported, FOLDER / f"keras-{make.__name__}.onnx")


if __name__ == "__main__":
    main()
