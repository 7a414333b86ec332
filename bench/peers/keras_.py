"""Keras: Model.save_weights and load_weights, a file of HDF5."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

import peer


class Weights(keras.layers.Layer):
    """A layer that has the values as its weights, and computes nothing with them."""

    def __init__(self, values):
        super().__init__()
        for i, v in enumerate(values):
            self.add_weight(shape=v.shape, name=f"v{i}").assign(v)

    def call(self, x):
        return x


class Keras(peer.Peer):
    version = keras.__version__

    def make(self, values):
        self.model = keras.Sequential([keras.layers.Input((1,)), Weights(values)])

    def save(self, dir):
        self.model.save_weights(os.path.join(dir, "model.weights.h5"))

    def spoil(self):
        for v in self.model.weights:
            v.value[0].assign(-7.0)

    def load(self, dir):
        self.model.load_weights(os.path.join(dir, "model.weights.h5"))

    def first(self):
        return (v.value[0].numpy() for v in self.model.weights)


peer.serve(Keras)
