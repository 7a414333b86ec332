"""tf.train.Checkpoint and CheckpointManager."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

import peer


class TensorFlow(peer.Peer):
    version = tf.__version__

    def make(self, values):
        self.variables = [tf.Variable(v) for v in values]
        self.checkpoint = tf.train.Checkpoint(v=self.variables)
        self.background = tf.train.Checkpoint(v=self.variables)
        self.options = tf.train.CheckpointOptions(enable_async=True)

    def save(self, dir):
        self.checkpoint.save(os.path.join(dir, "ckpt"))

    def spoil(self):
        for v in self.variables:
            v[0].assign(-7.0)

    def load(self, dir):
        self.checkpoint.restore(tf.train.latest_checkpoint(dir)).assert_consumed()

    def first(self):
        return (v[0].numpy() for v in self.variables)

    def save_async(self, dir, returned):
        self.background.save(os.path.join(dir, "ckpt"), options=self.options)
        returned()
        self.background.sync()

    def small(self, dir, saves, keep):
        manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=self.variables), dir, max_to_keep=keep)
        for _ in range(saves):
            manager.save()


peer.serve(TensorFlow)
