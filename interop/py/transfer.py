"""TensorFlow 1's transfer learning, in graphs and sessions of their own."""

import os
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.python.training import warm_starting_util

v1 = tf.compat.v1

# What a variable holds that nothing was restored into.
FRESH = -1.0


def write(prefix, tensors, by_object):
    """Saves float32 tensors, by their names or as an object-based checkpoint."""
    values = {t["name"]: np.array(t["values"], np.float32).reshape(t["shape"]) for t in tensors}
    if by_object:
        root = tf.train.Checkpoint()
        for i, (name, value) in enumerate(values.items()):
            setattr(root, f"child{i}", tf.Variable(value, name=name))
        return root.write(prefix)
    names = list(values)
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=[values[n] for n in names]
    )
    return prefix


def run(variables, transfer):
    """Makes the variables, transfers, and answers with their values."""
    with tf.Graph().as_default(), v1.Session() as session:
        made = [
            v1.get_variable(
                v["name"], v["shape"], initializer=v1.constant_initializer(FRESH), trainable=v.get("trainable", True)
            )
            for v in variables
        ]
        transfer()
        session.run(v1.global_variables_initializer())
        return [np.asarray(x).ravel().tolist() for x in session.run(made)]


def init_from_checkpoint(prefix, variables, pairs):
    return run(variables, lambda: v1.train.init_from_checkpoint(prefix, [tuple(p) for p in pairs]))


def counting(start):
    """An initializer that counts from start in every call."""
    return lambda shape, **_: tf.reshape(tf.cast(tf.range(tf.reduce_prod(shape)), tf.float32) + start, shape)


def vocab_info(info, directory):
    def file(words):
        handle, path = tempfile.mkstemp(dir=directory)
        with os.fdopen(handle, "w") as f:
            f.writelines(w + "\n" for w in words)
        return path

    return v1.train.VocabInfo(
        new_vocab=file(info["new"]),
        new_vocab_size=info["new_size"] or len(info["new"]),
        num_oov_buckets=info["oov"],
        old_vocab=file(info["old"]),
        old_vocab_size=info["old_size"] or -1,
        backup_initializer=counting(info["backup"]) if info["backup"] else None,
        axis=info["axis"],
    )


def warm_start(prefix, variables, patterns, previous, vocabularies):
    with tempfile.TemporaryDirectory() as directory:
        infos = {name: vocab_info(info, directory) for name, info in (vocabularies or {}).items()}
        return run(
            variables,
            lambda: warm_starting_util.warm_start(
                prefix,
                vars_to_warm_start=".*" if patterns is None else patterns,
                var_name_to_vocab_info=infos,
                var_name_to_prev_var_name=previous or {},
            ),
        )
