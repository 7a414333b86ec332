"""TensorFlow for the Go tests: reads one JSON request a line, answers with one line.

    {"call": "read", "prefix": "/tmp/x/ckpt-1"}
    {"result": [...]}    or    {"error": "NotFoundError: ..."}

One process serves all tests, since importing TensorFlow takes longer than
most of them. What a request may call is what has @call below.
"""

import json
import os
import sys
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# Libraries print to standard output; the answers get a descriptor of their own.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import tensorflow as tf

import events
import graphs
import histories
import keras_callbacks
import models
import transfer
import sharding
import restore
import sums
import values
import waiting
import writers

CALLS = {}


def call(f):
    CALLS[f.__name__] = f
    return f


@call
def versions():
    import keras
    import tf_keras

    return {"tensorflow": tf.__version__, "keras": keras.__version__, "tf_keras": tf_keras.__version__}


@call
def read(prefix):
    """Every tensor, with its value."""
    return values.read_all(prefix)


@call
def load_checkpoint(prefix):
    """What the public reader answers: names, shapes, dtypes; each tensor read once."""
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    types = reader.get_variable_to_dtype_map()
    for name in shapes:
        reader.get_tensor(name)
    return [{"name": n, "dtype": types[n].name, "shape": shapes[n]} for n in sorted(shapes)]


@call
def list_variables(prefix):
    return [[name, list(shape)] for name, shape in tf.train.list_variables(prefix)]


@call
def latest_checkpoint(directory):
    return tf.train.latest_checkpoint(directory)


@call
def checkpoint_state(directory):
    state = tf.train.get_checkpoint_state(directory)
    return state and {
        "model_checkpoint_path": state.model_checkpoint_path,
        "all_model_checkpoint_paths": list(state.all_model_checkpoint_paths),
        "timestamps": list(state.all_model_checkpoint_timestamps),
    }


@call
def save_graph(graph, directory):
    """Saves a described graph; the answer is the last prefix."""
    return graphs.save(graph, directory)


@call
def restore_graph(graph, path, read=False):
    """Restores a described graph, all consumed, and answers with each object's values."""
    ckpt, built = graphs.checkpoint(graph)
    if graph["saves"] > 1:
        for name, made in built.named(graph.get("late", [])).items():
            setattr(ckpt, name, made)
    status = ckpt.read(path) if read else ckpt.restore(path)
    status.assert_consumed()
    try:
        status.assert_nontrivial_match()
    except AssertionError as e:
        if "Nothing to load" not in str(e):  # which is so where the root leads to nothing
            raise
    return [graphs.values_of(o) for o in built.made]


@call
def manage(graph, directory):
    """Restores the newest checkpoint with TensorFlow's own manager and saves once more."""
    ckpt, _ = graphs.checkpoint(graph)
    manager = tf.train.CheckpointManager(ckpt, directory, max_to_keep=graph.get("max_to_keep"))
    restored = manager.restore_or_initialize()
    return {"restored": restored, "saved": manager.save(), "checkpoints": manager.checkpoints}


@call
def write(writer, directory, seed):
    """Runs one of the writers of writers.py; answers with the prefix and what TensorFlow reads from it."""
    prefix, want = writers.WRITERS[writer](directory, seed)
    return {"prefix": prefix, "tensors": writers.read_all(prefix, want)}


@call
def writer_names():
    return sorted(writers.WRITERS)


@call
def restore_model(model, path, seed):
    """Restores a model by one of the ways of models.py; answers with its weights."""
    return models.RESTORE[model](path, seed)


events.register(call)
histories.register(call)
sharding.register(call)
restore.register(call)
sums.register(call)


@call
def transfer_write(prefix, tensors, by_object):
    return transfer.write(prefix, tensors, by_object)


@call
def init_from_checkpoint(prefix, variables, pairs):
    return transfer.init_from_checkpoint(prefix, variables, pairs)


@call
def warm_start(prefix, variables, patterns=None, previous=None, vocabularies=None):
    return transfer.warm_start(prefix, variables, patterns, previous, vocabularies)


for f in ("flavor", "checkpoint_runs", "backup_runs", "backup_write", "backup_read", "load_on_restart", "newest", "formats"):
    CALLS["keras_" + f] = getattr(keras_callbacks, f)


@call
def iterate(**script):
    return waiting.iterate(**script)


def main():
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = {"result": CALLS[request.pop("call")](**request)}
        except Exception as e:  # the test decides what an error means
            traceback.print_exc()
            answer = {"error": f"{type(e).__name__}: {e}"}
        ANSWERS.write(json.dumps(answer) + "\n")
        ANSWERS.flush()


if __name__ == "__main__":
    main()
