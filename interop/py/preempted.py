"""A program that TensorFlow's PreemptionCheckpointHandler preempts.

    preempted.py DIRECTORY RUNS

It goes on from what DIRECTORY holds, gets SIGTERM when so many runs are made,
and exits with TensorFlow's code, or with 0 if that was not to be.
"""

import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import tensorflow as tf
from tensorflow.python.distribute.failure_handling import failure_handling_util

# It asks the network whether this is a machine of Google's.
failure_handling_util.on_gcp = lambda: False


def main(directory, runs):
    v = tf.Variable(0, dtype=tf.int64, name="v")
    handler = tf.distribute.experimental.PreemptionCheckpointHandler(
        None, tf.train.Checkpoint(v=v), checkpoint_dir=directory
    )
    print("begins", handler.total_run_calls, v.numpy(), flush=True)
    for _ in range(20):
        if handler.total_run_calls == runs:
            signal.raise_signal(signal.SIGTERM)
        handler.run(lambda: v.assign_add(1))
        print("run", handler.total_run_calls, flush=True)


main(sys.argv[1], int(sys.argv[2]))
