"""Tensors in an exact JSON form, shared by the golden files and the tests.

    {"dtype": "float32", "shape": [2], "value": "0000803f00000040"}   raw little-endian bytes, hex
    {"dtype": "string", "shape": [2], "strings": ["61", ""]}          each element, hex
    {"dtype": "variant", "shape": []}                                 opaque: TensorFlow has no way to show it

The bytes are those of TensorFlow's memory: 4 and 2 bit integers take one byte
each with the upper bits zero.
"""

import sys

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import dtypes

assert sys.byteorder == "little", "the golden files are little-endian"

# The quantized types have no numpy type that tf.constant takes; they are
# bitcast from the integer type of the same width.
_QUANTIZED = {
    tf.qint8: tf.int8,
    tf.quint8: tf.uint8,
    tf.qint16: tf.int16,
    tf.quint16: tf.uint16,
    tf.qint32: tf.int32,
}


def all_dtypes():
    """Every type of fixed size that this TensorFlow can store, by number."""
    skip = ("string", "resource", "variant", "invalid")
    every = dtypes._INTERN_TABLE.values()  # tf.dtypes exports only some
    stored = [d for d in every if d.as_datatype_enum < 100 and d.name not in skip]
    return sorted(stored, key=lambda d: d.as_datatype_enum)


def from_bytes(dtype, shape, raw):
    """A tensor of any fixed-size type with exactly these bytes."""
    dtype = tf.as_dtype(dtype)
    plain = _QUANTIZED.get(dtype, dtype)
    # A copy: tf.constant may otherwise alias the caller's memory.
    array = np.frombuffer(raw, plain.as_numpy_dtype).reshape(shape).copy()
    tensor = tf.constant(array)
    return tf.bitcast(tensor, dtype) if plain != dtype else tensor


def decode(value):
    """The tensor that a JSON value describes."""
    if value["dtype"] == "string":
        elems = [bytes.fromhex(s) for s in value["strings"] or []]
        array = np.empty(len(elems), object)
        array[:] = elems
        return tf.constant(array.reshape(value["shape"]), tf.string)
    return from_bytes(value["dtype"], value["shape"], bytes.fromhex(value["value"]))


def encode(tensor):
    """The JSON value of a tensor, bit for bit."""
    dtype = tf.as_dtype(tensor.dtype)
    out = {"dtype": dtype.name, "shape": tensor.shape.as_list()}
    if dtype == tf.variant:
        return out
    if dtype == tf.string:
        # As objects: numpy's own byte strings drop zero bytes at the end.
        elems = np.array(tensor.numpy(), object).reshape(-1)
        out["strings"] = [bytes(s).hex() for s in elems.tolist()]
    else:
        out["value"] = np.asarray(tensor.numpy()).tobytes().hex()
    return out


def read_all(prefix):
    """Every tensor of a checkpoint as TensorFlow reads it back, by name."""
    prefix = pattern(prefix)
    reader = tf.train.load_checkpoint(prefix)
    types = reader.get_variable_to_dtype_map()
    shapes = reader.get_variable_to_shape_map()
    out = []
    for name in sorted(types, key=lambda n: n.encode()):
        if types[name] == tf.variant:
            out.append({"name": name, "dtype": "variant", "shape": shapes[name]})
        else:
            out.append({"name": name} | encode(read_one(prefix, name, types[name])))
    return out


def pattern(prefix):
    """The name by which TensorFlow opens a checkpoint: V1 shards need a glob pattern."""
    exists = tf.io.gfile.exists
    if exists(prefix + ".index") or exists(prefix):
        return prefix
    return prefix + "-?????-of-?????"


def read_one(prefix, name, dtype):
    """One tensor, by the restore ops: the reader's get_tensor forgets the quantized types."""
    if tf.io.gfile.exists(prefix + ".index"):
        return tf.raw_ops.RestoreV2(
            prefix=prefix, tensor_names=[name], shape_and_slices=[""], dtypes=[dtype]
        )[0]
    return tf.raw_ops.Restore(file_pattern=prefix, tensor_name=name, dt=dtype)
