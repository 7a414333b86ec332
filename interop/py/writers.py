"""Checkpoints of every kind, written by TensorFlow with values from a seed.

A writer gets a directory and a seed, and returns the prefix, and the whole
values of partitioned tensors, which TensorFlow reads back only for some types.
"""


import numpy as np
import tensorflow as tf

import models
import values


def random_tensor(rng, dtype, shape):
    """Any bits are a value, but for the types that use only some of their bits."""
    dtype = tf.as_dtype(dtype)
    n = int(np.prod(shape))
    if dtype == tf.string:
        elems = np.empty(n, object)
        elems[:] = [rng.bytes(int(rng.integers(0, 200))) for _ in range(n)]
        return tf.constant(elems.reshape(shape), tf.string)
    limit = {"bool": 2, "int4": 16, "uint4": 16, "float4_e2m1fn": 16, "int2": 4, "uint2": 4}.get(dtype.name)
    raw = rng.bytes(n * dtype.size)
    if limit:
        raw = bytes(b % limit for b in raw)
    return values.from_bytes(dtype, shape, raw)


def random_shape(rng, rank=None, most=5):
    rank = int(rng.integers(0, 5)) if rank is None else rank
    return [int(n) for n in rng.integers(0, most, rank)]


def dtypes(directory, seed):
    """Tensors of every type, by the op itself."""
    rng = np.random.default_rng(seed)
    names, tensors = [], []
    for d in [*values.all_dtypes(), tf.string]:
        for i in range(3):
            names.append(f"{d.name}/{i}")
            tensors.append(random_tensor(rng, d, random_shape(rng)))
    prefix = directory + "/dtypes"
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    return prefix, {}


def variables(directory, seed):
    """A tf.Variable of every type that has them."""
    rng = np.random.default_rng(seed)
    made = {}
    for d in [*values.all_dtypes(), tf.string]:
        try:
            made[d.name] = tf.Variable(random_tensor(rng, d, random_shape(rng, most=4)))
        except tf.errors.InvalidArgumentError:
            continue  # no kernel
    return tf.train.Checkpoint(**made).save(directory + "/ckpt"), {}


def containers(directory, seed):
    rng = np.random.default_rng(seed)

    def variable():
        return tf.Variable(random_tensor(rng, tf.float32, random_shape(rng)))

    root = tf.Module()
    root.objs = [variable(), [variable(), {"a/b": variable()}], (variable(),)]
    root.table = {"z": variable(), "a": {"deep.er": [variable()]}}
    root.empty = []
    return tf.train.Checkpoint(root, step=tf.Variable(7)).save(directory + "/ckpt"), {}


def strings(directory, seed):
    rng = np.random.default_rng(seed)
    made = {f"s{i}": tf.Variable(random_tensor(rng, tf.string, random_shape(rng))) for i in range(8)}
    return tf.train.Checkpoint(**made).save(directory + "/ckpt"), {}


def max_shard(directory, seed):
    rng = np.random.default_rng(seed)
    types = [tf.float32, tf.int64, tf.float16, tf.string, tf.bool, tf.float32]
    made = {}
    for i, d in enumerate(types):
        # The policy fails on strings of rank 2 (checkpoint/sharding/sharding_policies.py).
        rank = 1 if d == tf.string else 2
        made[f"v{i}"] = random_tensor(rng, d, [int(n) for n in rng.integers(4, 12, rank)])
    # Above any one string: for a longer one the policy never ends.
    limit = int(rng.integers(250, 600))
    options = tf.train.CheckpointOptions(
        experimental_sharding_callback=tf.train.experimental.MaxShardSizePolicy(limit)
    )
    ckpt = tf.train.Checkpoint(**{k: tf.Variable(v) for k, v in made.items()})
    prefix = ckpt.save(directory + "/ckpt", options=options)
    return prefix, {k + "/.ATTRIBUTES/VARIABLE_VALUE": v for k, v in made.items()}


def partitioned(directory, seed):
    """Random cuts along one dimension, dealt to three shards."""
    rng = np.random.default_rng(seed)
    want, shards = {}, [[], [], []]
    for i, d in enumerate([tf.float32, tf.int16, tf.bfloat16, tf.string, tf.complex64]):
        shape = [int(rng.integers(2, 12)), int(rng.integers(1, 4))]
        whole = random_tensor(rng, d, shape)
        want[f"part{i}"] = whole
        cuts = sorted({0, shape[0], *(int(c) for c in rng.integers(1, shape[0], 2))})
        for a, b in zip(cuts, cuts[1:]):
            columns = "-" if rng.integers(2) else f"0,{shape[1]}"
            spec = f"{shape[0]} {shape[1]} {a},{b - a}:{columns}"
            shards[int(rng.integers(3))].append((f"part{i}", spec, whole[a:b]))
    for i, s in enumerate(shards):
        s.append((f"whole{i}", "", random_tensor(rng, tf.int32, [2])))
    temp = directory + "/temp"
    parts = [f"{temp}/part-{i:05d}-of-00003" for i in range(3)]
    for part, s in zip(parts, shards):
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=[n for n, _, _ in s],
            shape_and_slices=[spec for _, spec, _ in s],
            tensors=[t for _, _, t in s],
        )
    prefix = directory + "/merged"
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix, delete_old_dirs=True)
    return prefix, want


def keras3_adam(directory, seed):
    model = models.keras3(seed)
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(directory + "/ckpt"), {}


def tf_keras_adam(directory, seed):
    model = models.tf_keras(seed)
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(directory + "/ckpt"), {}


def tf_keras_legacy(directory, seed):
    model = models.tf_keras(seed, legacy=True)
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(directory + "/ckpt"), {}


def tf_keras_save_weights(directory, seed):
    models.tf_keras(seed).save_weights(directory + "/weights")
    return directory + "/weights", {}


def v1_optimizers(directory, seed):
    """Slots by the optimizers of tf.compat.v1.train, used eagerly."""
    rng = np.random.default_rng(seed)
    v1 = tf.compat.v1.train
    a, b = (tf.Variable(rng.standard_normal(n).astype(np.float32), name=f"v{n}") for n in (2, 3))
    made = {"adam": v1.AdamOptimizer(), "momentum": v1.MomentumOptimizer(0.1, 0.9), "rms": v1.RMSPropOptimizer(0.1)}
    for optimizer in made.values():
        optimizer.apply_gradients([(tf.ones_like(v), v) for v in (a, b)])
    return tf.train.Checkpoint(a=a, b=b, **made).save(directory + "/ckpt"), {}


def saved_model(directory, seed):
    rng = np.random.default_rng(seed)
    m = tf.Module()
    m.w = tf.Variable(random_tensor(rng, tf.float32, [2, 3]))
    m.parts = [tf.Variable(random_tensor(rng, tf.int64, [2])), tf.Variable(random_tensor(rng, tf.string, [3]))]
    m.call = tf.function(lambda x: x @ m.w, input_signature=[tf.TensorSpec([None, 2])])
    tf.saved_model.save(m, directory)
    return directory + "/variables/variables", {}


def iterator(directory, seed):
    it = iter(tf.data.Dataset.range(100).shuffle(10, seed=seed).batch(3))
    next(it)
    return tf.train.Checkpoint(iterator=it).save(directory + "/ckpt"), {}


def _saver(directory, seed, sharded, version):
    """A TensorFlow 1 graph: a layer with Adam, a partitioned embedding, a step."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as session:
        v1.set_random_seed(seed)
        step = v1.train.get_or_create_global_step()
        kernel = v1.get_variable("dense/kernel", shape=[2, 3])
        with v1.device("/cpu:1"), v1.variable_scope("", partitioner=v1.fixed_size_partitioner(3)):
            v1.get_variable("emb", shape=[8, 2], initializer=v1.random_normal_initializer())
        bias = v1.get_variable("dense/bias", shape=[3], use_resource=True)
        train = v1.train.AdamOptimizer().minimize(
            tf.reduce_sum(kernel) + tf.reduce_sum(bias), global_step=step, var_list=[kernel, bias]
        )
        session.run(v1.global_variables_initializer())
        session.run(train)
        saver = v1.train.Saver(sharded=sharded, write_version=version)
        prefix = directory + "/model"
        saver.save(session, prefix, write_meta_graph=False)
        return prefix, {}  # the embedding TensorFlow puts together itself


def saver_v2(directory, seed):
    return _saver(directory, seed, False, tf.compat.v1.train.SaverDef.V2)


def saver_v2_sharded(directory, seed):
    return _saver(directory, seed, True, tf.compat.v1.train.SaverDef.V2)


def saver_v1(directory, seed):
    return _saver(directory, seed, False, tf.compat.v1.train.SaverDef.V1)


def saver_v1_sharded(directory, seed):
    return _saver(directory, seed, True, tf.compat.v1.train.SaverDef.V1)


WRITERS = {
    f.__name__: f
    for f in (
        dtypes, variables, containers, strings, max_shard, partitioned, keras3_adam, tf_keras_adam, tf_keras_legacy,
        tf_keras_save_weights, v1_optimizers, saved_model, iterator, saver_v2, saver_v2_sharded, saver_v1, saver_v1_sharded,
    )
}  # fmt: skip


def read_all(prefix, want):
    """What TensorFlow reads; of partitioned tensors, what was cut up."""
    prefix = values.pattern(prefix)
    reader = tf.train.load_checkpoint(prefix)
    types = reader.get_variable_to_dtype_map()
    out = []
    for name in sorted(types, key=lambda n: n.encode()):
        if types[name] == tf.variant:
            out.append({"name": name, "dtype": "variant", "shape": reader.get_variable_to_shape_map()[name]})
        elif name in want:
            out.append({"name": name} | values.encode(tf.convert_to_tensor(want[name])))
        else:
            out.append({"name": name} | values.encode(values.read_one(prefix, name, types[name])))
    return out
