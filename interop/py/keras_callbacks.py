"""Keras's own callbacks, run through histories that the Go tests make up.

Which Keras they are of, Keras 3 or tf-keras, is what tf.keras is in this
process: that of TF_USE_LEGACY_KERAS=1 has tf-keras.
"""

import logging
import os
import tempfile
import warnings

import numpy as np
import tensorflow as tf

keras = tf.keras


def flavor():
    return keras.Model.__module__.split(".")[0]


class Recorder:
    """A model that writes down where it was to be saved, and a file there."""

    metrics = []
    distribute_strategy = None
    stop_training = False

    def __init__(self):
        self.saved = []

    def save(self, filepath, overwrite=True, options=None):
        with open(filepath, "w"):
            pass
        self.saved.append(filepath)

    save_weights = save


def numbers(logs):
    return {name: float(v) for name, v in logs.items()}


def checkpoint_runs(histories):
    """What ModelCheckpoint saves, event by event. Several runs of a history are restarts."""
    return [checkpoint_run(h) for h in histories]


def checkpoint_run(history):
    with tempfile.TemporaryDirectory() as directory:
        outcomes = []
        for run in history["runs"]:
            outcomes.append(one_run(directory, history["options"], run))
            if any(o["error"] for o in outcomes[-1]):
                break
        return outcomes


def one_run(directory, options, run):
    options = dict(options, filepath=os.path.join(directory, options["filepath"]))
    if options.get("initial_value_threshold") is not None:
        options["initial_value_threshold"] = float(options["initial_value_threshold"])
    model, asked = Recorder(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        callback = keras.callbacks.ModelCheckpoint(**options)
        callback.set_model(model)
        inner = callback._save_model
        callback._save_model = lambda *args, **kwargs: (asked.append(1), inner(*args, **kwargs))
        outcomes = []
        for event in run:
            model.saved, error = [], ""
            asked.clear()
            try:
                tell(callback, event)
            except Exception as e:
                error = type(e).__name__
            outcomes.append({"saved": [os.path.relpath(p, directory) for p in model.saved], "asked": bool(asked), "error": error})
            if error:
                break
        return outcomes


def tell(callback, event):
    match event["on"]:
        case "train_begin":
            callback.on_train_begin()
        case "epoch_begin":
            callback.on_epoch_begin(event["epoch"])
        case "batch_end":
            callback.on_train_batch_end(event["batch"], numbers(event.get("logs", {})))
        case "epoch_end":
            callback.on_epoch_end(event["epoch"], numbers(event.get("logs", {})))


class Counter(keras.Model):
    """A model whose weight counts the batches it was trained with."""

    def __init__(self):
        super().__init__()
        self.count = self.add_weight(name="count", shape=(), initializer="zeros")
        self.built = True
        self.compile(optimizer="sgd", run_eagerly=True)

    def call(self, x):
        return x

    def train_step(self, data):
        self.count.assign_add(1.0)
        return {"loss": tf.convert_to_tensor(self.count)}


class Interrupted(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    """Writes down the batches, and interrupts before one."""

    def __init__(self, before):
        super().__init__()
        self.before, self.trained = before, []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.before == [self.epoch, int(batch)]:
            raise Interrupted
        self.trained.append([int(self.epoch), int(batch)])


def backup_runs(histories):
    """Trains with BackupAndRestore, interrupted and begun again: the batches of each run, and the weight."""
    return [backup_run(h) for h in histories]


def backup_run(history):
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as directory:
        runs = []
        for before in history["before"] + [None]:
            model, interrupt = Counter(), Interrupt(before)
            backup = keras.callbacks.BackupAndRestore(os.path.join(directory, "backup"), save_freq=history["save_freq"])
            x = np.zeros((history["batches"], 1), np.float32)
            ended = True
            try:
                model.fit(x, x, epochs=history["epochs"], batch_size=1, shuffle=False, verbose=0, callbacks=[backup, interrupt])
            except Interrupted:
                ended = False
            runs.append({"trained": interrupt.trained, "count": float(model.count.numpy()), "ended": ended})
            if ended:
                break
        return runs


class Weight(tf.Module):
    """What BackupAndRestore of tf-keras asks of a model, with one weight."""

    built, optimizer, _distribution_strategy = True, None, None

    def __init__(self, weight):
        super().__init__()
        self.weight = tf.Variable(weight)
        self._train_counter = tf.Variable(0, dtype=tf.int64)

    @property
    def distribute_strategy(self):
        return tf.distribute.get_strategy()


def backup_write(directory, save_freq, epochs, batches):
    """Backs up a training that was interrupted after so many batches of the last of the epochs."""
    model = Weight(0.0)
    callback = keras.callbacks.BackupAndRestore(directory, save_freq=save_freq)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(batches if epoch == epochs - 1 else 5):
            if callback._implements_train_batch_hooks():
                callback.on_train_batch_begin(batch)
            model.weight.assign_add(1.0)
            model._train_counter.assign_add(1)
            if callback._implements_train_batch_hooks():
                callback.on_train_batch_end(batch)
        if epoch < epochs - 1 or batches == 5:
            callback.on_epoch_end(epoch)


def backup_read(directory, save_freq, batches):
    """Where BackupAndRestore goes on from a directory: epoch, batch, weight, counter."""
    from tf_keras.src.utils import mode_keys

    model = Weight(-1.0)
    callback = keras.callbacks.BackupAndRestore(directory, save_freq=save_freq)
    callback.set_model(model)
    callback.on_train_begin()
    epoch, batch = model._training_state.maybe_load_initial_counters_from_ckpt(batches, 0, mode_keys.ModeKeys.TRAIN)
    return {"epoch": int(epoch), "batch": int(batch), "weight": float(model.weight.numpy()), "counter": int(model._train_counter.numpy())}


def load_on_restart(pattern, weights):
    """The weights of a model when its training begins with load_weights_on_restart."""
    model = keras.Sequential([keras.layers.Dense(weights, use_bias=False)])
    model.build((None, 1))
    callback = keras.callbacks.ModelCheckpoint(pattern, save_weights_only=True, load_weights_on_restart=True)
    callback.set_model(model)
    callback.on_train_begin()
    return [float(v) for v in model.get_weights()[0].ravel()]


def newest(pattern):
    """The most recently modified file that matches."""
    callback = keras.callbacks.ModelCheckpoint(pattern)
    path = callback._get_most_recently_modified_file_matching_pattern(pattern)
    return path and os.path.basename(path)


def formats(cases):
    """format(value, spec) of each; None where Python refuses."""
    answers = []
    for case in cases:
        value = int(case["value"]) if case["whole"] else float(case["value"])
        try:
            answers.append(("{x:%s}" % case["spec"]).format(x=value))
        except ValueError:
            answers.append(None)
    return answers
