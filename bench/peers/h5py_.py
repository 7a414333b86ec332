"""h5py: a dataset for each tensor, read into arrays that are there."""

import os

import h5py
import numpy

import peer


class H5py(peer.Peer):
    version = h5py.__version__

    def make(self, values):
        self.values = values
        self.loaded = [numpy.zeros_like(v) for v in values]

    def save(self, dir):
        with h5py.File(os.path.join(dir, "model.h5"), "w") as f:
            for i, v in enumerate(self.values):
                f.create_dataset(f"v{i}", data=v)

    def spoil(self):
        for v in self.loaded:
            v[0] = -7

    def forget(self):
        pass

    def load(self, dir):
        with h5py.File(os.path.join(dir, "model.h5"), "r") as f:
            for i, v in enumerate(self.loaded):
                f[f"v{i}"].read_direct(v)

    def first(self):
        return (v[0] for v in self.loaded)


peer.serve(H5py)
