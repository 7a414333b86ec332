"""Tensor bundles (TensorFlow V2 checkpoints) for format/tensorbundle."""

import glob
import os
import shutil
import struct

import ml_dtypes
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

import table
import values
from store import Scratch


def make(store):
    for case in (dtypes, shapes, strings, many, slices, merged, maxshard):
        case(store)
    for case in (variant, saved_model, tf1_saver, keras3, tf_keras_weights):
        case(store)
    big_endian(store)
    snappy(store)


def save(prefix, *named):
    """SaveV2 of (name, tensor) or (name, tensor, shape_and_slice)."""
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=[n[0] for n in named],
        shape_and_slices=[n[2] if len(n) > 2 else "" for n in named],
        tensors=[n[1] for n in named],
    )


def describe(store, name, made_by):
    store.json(name + ".json", {"made_by": made_by, "tensors": values.read_all(store.path(name))})


def patterns(dtype):
    """Bytes that cover a type: every value of the small ones, the odd ones of the others."""
    if dtype == tf.bool:
        return bytes([0, 1, 1, 0])
    size = dtype.size
    if dtype.name in ("int4", "uint4", "float4_e2m1fn"):
        return bytes(range(16))
    if dtype.name in ("int2", "uint2"):
        return bytes(range(4))
    if size == 1:
        return bytes(range(256))
    part = size // 2 if dtype.is_complex else size
    if dtype.is_floating or dtype.is_complex:
        # 0, -0, 1, the smallest denormal, infinities, a quiet and a signalling NaN with payload.
        mant = {"float16": 10, "bfloat16": 7}.get(dtype.name, 23 if part == 4 else 52)
        top = 1 << (8 * part - 1)
        inf = (top - 1) >> mant << mant
        one = (inf >> 1) & ~((1 << mant) - 1)
        bits = [0, top, one, 1, inf, top | inf, inf | 1 << (mant - 1) | 5, inf | 3]
    else:
        full = 1 << (8 * part)
        bits = [0, 1, full - 1, full >> 1, (full >> 1) - 1, full // 3, 0x12, full - 2]
    return b"".join(b.to_bytes(part, "little") for b in bits)


def dtypes(store):
    """Every type this TensorFlow stores, as a vector of telling values."""
    named = []
    for d in values.all_dtypes():
        raw = patterns(d)
        named.append((d.name, values.from_bytes(d, [len(raw) // d.size], raw)))
    # Type 33 is new in 2.21 and has a file of its own, for readers that do not know it.
    float4 = [n for n in named if n[0] == "float4_e2m1fn"]
    named.remove(*float4)
    save(store.path("float4"), ("before", tf.constant(1.0)), *float4)
    describe(store, "float4", "tf.raw_ops.SaveV2")
    # As a program makes them: negative 4 and 2 bit integers.
    named.append(("int4_negative", tf.constant(np.arange(-8, 0).astype(ml_dtypes.int4))))
    named.append(("int2_negative", tf.constant(np.arange(-2, 0).astype(ml_dtypes.int2))))
    named.append(("string", tf.constant([b"", b"a", b"\xff\x00\xfe"])))
    save(store.path("dtypes"), *named)
    describe(store, "dtypes", "tf.raw_ops.SaveV2")

    variables = {}
    for d in values.all_dtypes():
        raw = patterns(d)
        if d.name == "float4_e2m1fn":
            continue
        try:
            variables[d.name] = tf.Variable(values.from_bytes(d, [2, len(raw) // d.size // 2], raw))
        except tf.errors.InvalidArgumentError:
            continue  # no kernel: TensorFlow has no variables of this type
    tf.train.Checkpoint(**variables).write(store.path("variables"))
    describe(store, "variables", "tf.train.Checkpoint.write of one tf.Variable of each type")


def shapes(store):
    def f32(*shape):
        return tf.reshape(tf.range(int(np.prod(shape)), dtype=tf.float32), shape)

    named = [
        ("scalar", tf.constant(1.5)),
        ("vector", f32(3)),
        ("rank5", f32(2, 1, 3, 2, 2)),
        ("rank8", f32(1, 2, 1, 2, 1, 2, 1, 1)),
        ("empty/vector", f32(0)),
        ("empty/0x3", f32(0, 3)),
        ("empty/2x0x4", f32(2, 0, 4)),
        ("empty/string", tf.zeros([0], tf.string)),
        ("empty/int64", tf.zeros([0, 0], tf.int64)),
        # Larger than one 64 KiB piece, and easily compressed by git.
        ("large", tf.cast(tf.range(70000) % 251, tf.uint8)),
        ("after", tf.constant(7, tf.int32)),
        ("name with spaces, \xfc and \u65e5\u672c", tf.constant(8, tf.int32)),
        ("/", tf.constant(9, tf.int32)),
    ]
    save(store.path("shapes"), *named)
    describe(store, "shapes", "tf.raw_ops.SaveV2")


def strings(store):
    named = [
        ("scalar", tf.constant(b"one string")),
        ("scalar_empty", tf.constant(b"")),
        ("matrix", tf.constant([[b"a", b"bb"], [b"", b"\x00"]])),
        ("none", tf.zeros([0], tf.string)),
        ("none_0x2", tf.zeros([0, 2], tf.string)),
        ("not_utf8", tf.constant([b"\xff\xfe\xfd", b"\x80", b"\xc3\x28"])),
        # Around the lengths where a varint grows.
        ("varint", tf.constant([b"x" * n for n in (127, 128, 1024, 16383, 16384)])),
        ("many", tf.constant([b"%d" % i for i in range(300)])),
    ]
    save(store.path("strings"), *named)
    describe(store, "strings", "tf.raw_ops.SaveV2")


def many(store):
    """An index of more than one data block (262144 bytes each)."""
    names = ["%04x/block/attention/query/kernel/.ATTRIBUTES/%02d/VARIABLE_VALUE" % (i * 257 % 65536, i % 100) for i in range(3600)]
    save(store.path("many"), *[(n, tf.constant([i, -i], tf.int16)) for i, n in enumerate(names)])
    _, blocks = table.read(store.path("many.index"))
    assert blocks >= 2, blocks
    describe(store, "many", "tf.raw_ops.SaveV2; the index has %d data blocks" % blocks)
    store.gzip("many.index")
    store.gzip("many.json")


def slices(store):
    """Partitioned tensors in one data file; slices as numbers, as "-", and of several types."""
    emb = np.arange(10 * 4, dtype=np.float32).reshape(10, 4)
    cube = np.arange(4 * 3 * 2, dtype=np.int64).reshape(4, 3, 2)
    half = np.arange(6, dtype=np.float16).reshape(2, 3)
    words = np.array([[b"a", b""], [b"ccc", b"\xff"], [b"e", b"f"]], object)
    named = [
        ("before", tf.constant(1.0)),
        ("emb", tf.constant(emb[0:5]), "10 4 0,5:-"),
        ("emb", tf.constant(emb[5:9]), "10 4 5,4:0,4"),
        ("emb", tf.constant(emb[9:10]), "10 4 9,1:-"),
        # Cut along two dimensions, in an order that is not the reading order.
        ("cube", tf.constant(cube[2:4, 0:1]), "4 3 2 2,2:0,1:-"),
        ("cube", tf.constant(cube[0:2, 0:1]), "4 3 2 0,2:0,1:-"),
        ("cube", tf.constant(cube[:, 1:3]), "4 3 2 -:1,2:-"),
        ("half", tf.constant(half[:, 0:1]), "2 3 -:0,1"),
        ("half", tf.constant(half[:, 1:3]), "2 3 -:1,2"),
        ("words", tf.constant(words[0:1]), "3 2 0,1:-"),
        ("words", tf.constant(words[1:3]), "3 2 1,2:-"),
        # A slice that is the whole tensor is stored as a plain one.
        ("whole", tf.constant(emb), "10 4 0,10:0,4"),
        ("whole_dashes", tf.constant(emb), "10 4 -:-"),
        ("after", tf.constant(2.0)),
    ]
    save(store.path("slices"), *named)
    want = {"emb": emb, "cube": cube, "half": half, "words": words, "whole": emb, "whole_dashes": emb}
    describe_slices(store, "slices", "tf.raw_ops.SaveV2 with shape_and_slices", want)


# The types of which TensorFlow does not put slices together (TensorFlow:
# BundleReader::GetSliceValue); their whole values are ours to say.
NOT_ASSEMBLED = ("float16", "string")


def describe_slices(store, name, made_by, want):
    """Describes a bundle with partitioned tensors, whose whole values are known beforehand."""
    prefix = values.pattern(store.path(name))
    reader = tf.train.load_checkpoint(prefix)
    tensors = []
    for key in sorted(reader.get_variable_to_dtype_map(), key=lambda n: n.encode()):
        dtype = reader.get_variable_to_dtype_map()[key]
        whole = tf.constant(want[key]) if key in want else None
        if whole is None or dtype.name not in NOT_ASSEMBLED:
            read = values.read_one(prefix, key, dtype)
            assert whole is None or values.encode(read) == values.encode(whole), key
            whole = read
        tensors.append({"name": key} | values.encode(whole))
    store.json(name + ".json", {"made_by": made_by, "tensors": tensors})


def merged(store):
    """Shards written apart and merged, the way of tf.train.Saver and of several workers.

    The full entry of a partitioned tensor carries no data, but gets the shard
    id of the prefix it was first seen in: here not zero.
    """
    emb = np.arange(7 * 3, dtype=np.float32).reshape(7, 3)
    with Scratch() as d:
        parts = [os.path.join(d, "temp", "part-%05d-of-00003" % i) for i in range(3)]
        save(parts[0], ("z/last", tf.constant(1.0)), ("mid", tf.constant([b"s"])))
        save(parts[1], ("emb", tf.constant(emb[0:3]), "7 3 0,3:0,3"), ("a", tf.constant(3, tf.int64)))
        save(
            parts[2],
            ("late", tf.constant([1, 2], tf.int8)),
            ("emb", tf.constant(emb[3:4]), "7 3 3,1:0,3"),
            ("emb", tf.constant(emb[4:7]), "7 3 4,3:0,3"),
        )
        tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=parts, destination_prefix=store.path("merged"), delete_old_dirs=True
        )
    pairs, _ = table.read(store.path("merged.index"))
    full = tensor_bundle_pb2.BundleEntryProto.FromString(dict(pairs)[b"emb"])
    assert full.shard_id != 0 and len(full.slices) == 3
    describe_slices(store, "merged", "tf.raw_ops.SaveV2 three times, then MergeV2Checkpoints", {"emb": emb})


def maxshard(store):
    """tf.train.experimental.MaxShardSizePolicy, which cuts tensors to fill shards."""
    a = np.arange(10, dtype=np.float32)
    b = np.arange(12, dtype=np.int32).reshape(3, 4)
    s = np.array([b"x" * 30, b"y"], object)
    ckpt = tf.train.Checkpoint(
        a=tf.Variable(a), b=tf.Variable(b), s=tf.Variable(s), t=tf.Variable(2.5)
    )
    policy = tf.train.experimental.MaxShardSizePolicy(30)
    with Scratch() as d:
        path = ckpt.save(
            d + "/maxshard", tf.train.CheckpointOptions(experimental_sharding_callback=policy)
        )
        for f in glob.glob(path + ".*"):
            shutil.copy(f, store.path("maxshard." + f.rsplit(".", 1)[1]))
    key = "%s/.ATTRIBUTES/VARIABLE_VALUE"
    want = {key % "a": a, key % "b": b, key % "s": s}
    describe_slices(store, "maxshard", "tf.train.Checkpoint.save with MaxShardSizePolicy(30)", want)


def variant(store):
    """The state of a tf.data iterator, which is a variant tensor."""

    def fresh():
        # Without what depends on timing: threads of its own, and rewriting.
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        options.experimental_optimization.inject_prefetch = False
        it = iter(tf.data.Dataset.range(100, 200).shuffle(10, seed=1).batch(3).with_options(options))
        return it, tf.train.Checkpoint(iterator=it, step=tf.Variable(2, dtype=tf.int64))

    it, ckpt = fresh()
    seen = [next(it).numpy().tolist() for _ in range(2)]
    ckpt.write(store.path("variant"))
    want = next(it).numpy().tolist()
    again, ckpt = fresh()
    ckpt.read(store.path("variant")).assert_consumed()
    assert next(again).numpy().tolist() == want, (seen, want)
    describe(store, "variant", "tf.train.Checkpoint.write with a tf.data iterator")


def saved_model(store):
    """variables/variables of a SavedModel."""
    m = tf.Module()
    m.kernel = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="kernel")
    m.layers = [tf.Variable(5, name="count"), tf.Variable("text", name="text")]
    m.table = {"b": tf.Variable(True, name="flag")}
    m.call = tf.function(lambda x: x @ m.kernel, input_signature=[tf.TensorSpec([None, 2])])
    with Scratch() as d:
        tf.saved_model.save(m, d)
        for f in glob.glob(d + "/variables/variables.*"):
            shutil.copy(f, store.path("saved_model." + f.rsplit(".", 1)[1]))
    describe(store, "saved_model", "tf.saved_model.save; its variables/variables")


def tf1_saver(store):
    """Name-based V2 checkpoints of TensorFlow 1, with Adam's slots and a partitioned variable."""
    v1 = tf.compat.v1
    for name, sharded in (("tf1", False), ("tf1_sharded", True)):
        # Shards go by device: a second, pretended one makes a second shard.
        config = v1.ConfigProto(device_count={"CPU": 2})
        with tf.Graph().as_default(), v1.Session(config=config) as session, Scratch() as d:
            tf1_model(v1)
            session.run(v1.global_variables_initializer())
            for k, v in enumerate(sorted(v1.global_variables(), key=lambda v: v.name)):
                v.load(ramp(k, v.shape, v.dtype.base_dtype.as_numpy_dtype), session)
            path = v1.train.Saver(sharded=sharded).save(
                session, d + "/model", global_step=7, write_meta_graph=False
            )
            whole = session.run(v1.get_collection("emb"))[0]
            for f in glob.glob(path + ".*"):
                shutil.copy(f, store.path(name + "." + f.rsplit(".", 1)[1]))
        describe_slices(store, name, "tf.compat.v1.train.Saver(sharded=%s)" % sharded, {"emb": whole})


def tf1_model(v1):
    """A tiny TensorFlow 1 graph: a layer, a partitioned embedding, Adam."""
    step = v1.train.get_or_create_global_step()
    kernel = v1.get_variable("dense/kernel", shape=[2, 3])
    with v1.device("/cpu:1"):
        bias = v1.get_variable("dense/bias", shape=[3], use_resource=True)
        with v1.variable_scope("", partitioner=v1.fixed_size_partitioner(3)):
            emb = v1.get_variable("emb", shape=[8, 2])
    loss = tf.reduce_sum(kernel) + tf.reduce_sum(bias)
    v1.train.AdamOptimizer().minimize(loss, global_step=step, var_list=[kernel, bias])
    v1.add_to_collection("emb", emb.as_tensor())


def ramp(k, shape, dtype):
    """The values of variable k: k*10, k*10+1, … (What training computes depends on the processor.)"""
    return (np.arange(int(np.prod(shape))) + 10 * k).astype(dtype).reshape(shape)


def ramps(variables):
    for k, v in enumerate(variables):
        v.assign(ramp(k, v.shape, np.dtype(getattr(v.dtype, "as_numpy_dtype", v.dtype))))


def keras3(store):
    """A Keras 3 model with Adam, as tf.train.Checkpoint sees them."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.layers.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.25), "mse")
    model.optimizer.build(model.trainable_variables)
    ramps(model.variables + [v for v in model.optimizer.variables])
    with Scratch() as d:
        path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(d + "/keras3")
        for f in glob.glob(path + ".*"):
            shutil.copy(f, store.path("keras3." + f.rsplit(".", 1)[1]))
    describe(store, "keras3", "tf.train.Checkpoint(model=, optimizer=) of a Keras 3 model with Adam")


def tf_keras_weights(store):
    """save_weights of tf-keras (Keras 2), which Keras 3 no longer offers."""
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    model = tf_keras.Sequential([tf_keras.layers.Input((2,)), tf_keras.layers.Dense(3), tf_keras.layers.Dense(1)])
    model.compile(tf_keras.optimizers.legacy.Adam(0.25), "mse")
    # One step creates the slots.
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, shuffle=False)
    ramps(model.variables + model.optimizer.variables())
    with Scratch() as d:
        model.save_weights(d + "/w")
        for f in glob.glob(d + "/w.*"):
            shutil.copy(f, store.path("tf_keras." + f.rsplit(".", 1)[1]))
    describe(store, "tf_keras", "tf_keras.Model.save_weights with the legacy Adam")


# How a value's bytes are swapped: in units of so many bytes.
def _unit(dtype):
    return dtype.size // 2 if dtype.is_complex else dtype.size


def big_endian(store):
    """What a big-endian machine would have written: ours, made from TensorFlow's little-endian file.

    Without the types TensorFlow refuses to swap although they are single bytes.
    """
    refused = ("float8", "float4", "int4", "uint4", "int2", "uint2")
    named = []
    for d in values.all_dtypes():
        if not d.name.startswith(refused):
            raw = patterns(d)
            named.append((d.name, values.from_bytes(d, [len(raw) // d.size], raw)))
    named.append(("string", tf.constant([b"", b"ab", b"\xff" * 200])))
    with Scratch() as d:
        save(d + "/little", *named)
        pairs, _ = table.read(d + "/little.index")
        with open(d + "/little.data-00000-of-00001", "rb") as f:
            data = bytearray(f.read())
    out = [_swap(key, value, data) for key, value in pairs]
    table.write(store.path("big_endian.index"), out)
    with open(store.path("big_endian.data-00000-of-00001"), "wb") as f:
        f.write(data)
    describe(store, "big_endian", "interop/golden/bundles.py, by swapping the bytes of a file from tf.raw_ops.SaveV2; TensorFlow reads it")


def _swap(key, value, data):
    """Swaps one tensor in place and returns its new index entry."""
    if key == b"":
        header = tensor_bundle_pb2.BundleHeaderProto.FromString(value)
        header.endianness = tensor_bundle_pb2.BundleHeaderProto.BIG
        return key, header.SerializeToString()
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
    raw = bytes(data[entry.offset : entry.offset + entry.size])
    if entry.dtype == types_pb2.DT_STRING:
        raw, crc = _swap_strings(raw, entry.shape.dim[0].size)
    else:
        unit = _unit(tf.as_dtype(entry.dtype))
        raw = b"".join(raw[i : i + unit][::-1] for i in range(0, len(raw), unit))
        crc = table.crc32c(raw)
    data[entry.offset : entry.offset + entry.size] = raw
    entry.crc32c = table.mask(crc)
    return key, entry.SerializeToString()


def _swap_strings(raw, n):
    """Only the lengths' checksum is affected: it is of the lengths as that machine holds them."""
    at, crc = 0, 0
    for _ in range(n):
        length, at = table.read_varint(raw, at)
        crc = table.crc32c(struct.pack(">I", length), crc)
    word = struct.pack(">I", table.mask(crc))
    crc = table.crc32c(raw[at + 4 :], table.crc32c(word, crc))
    return raw[:at] + word + raw[at + 4 :], crc


def snappy(store):
    """An index whose data block is in Snappy, as TensorFlow inside Google writes them."""
    with Scratch() as d:
        named = [("layer_%d/kernel" % i, tf.fill([i, 2], float(i))) for i in range(40)]
        # A rank of many ones makes bytes that repeat.
        named.append(("wide", tf.zeros([0] * 40)))
        save(d + "/raw", *named)
        pairs, _ = table.read(d + "/raw.index")
        shutil.copy(d + "/raw.data-00000-of-00001", store.path("snappy.data-00000-of-00001"))
    table.write(store.path("snappy.index"), pairs, compress=True)
    describe(store, "snappy", "tf.raw_ops.SaveV2, its index rewritten by interop/golden/table.py with a Snappy block; TensorFlow reads it")
