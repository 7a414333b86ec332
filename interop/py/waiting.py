"""checkpoints_iterator with a clock of our own: what it gives out, and when."""

import os
import tempfile
from unittest import mock

import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint_management
from tensorflow.python.training import checkpoint_utils


class Clock:
    """Time that passes by sleeping, and saves that happen meanwhile."""

    def __init__(self, directory, saves):
        self.now, self.directory, self.saves = 0.0, directory, list(saves or [])
        self.number = 0
        self.sleep(0)

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        while self.saves and self.saves[0] <= self.now:
            self.saves.pop(0)
            self.number += 1
            prefix = os.path.join(self.directory, f"ckpt-{self.number}")
            with open(prefix + ".index", "w"):  # all that latest_checkpoint looks at
                pass
            checkpoint_management.update_checkpoint_state_internal(
                self.directory, prefix, all_model_checkpoint_paths=[prefix], save_relative_paths=True
            )


def iterate(saves, busy, min_interval=0, timeout=None, done_at=None):
    """Loops over an iterator; the body takes busy seconds. Answers with what came when."""
    log = []
    with tempfile.TemporaryDirectory() as directory:
        clock = Clock(directory, saves)

        def timeout_fn():
            log.append(["asked", clock.now])
            return clock.now >= done_at

        with mock.patch.object(checkpoint_utils, "time", clock):
            for path in tf.train.checkpoints_iterator(
                directory, min_interval, timeout, timeout_fn if done_at is not None else None
            ):
                log.append([os.path.basename(path), clock.now])
                clock.sleep(busy)
        log.append(["end", clock.now])
    return log
