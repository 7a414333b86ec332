"""torch.save of a state_dict, and torch.load of tensors alone (weights_only)."""

import os

import torch

import peer


class Torch(peer.Peer):
    version = torch.__version__

    def make(self, values):
        self.values = {f"v{i}": torch.from_numpy(v) for i, v in enumerate(values)}

    def save(self, dir):
        torch.save(self.values, os.path.join(dir, "model.pt"))

    def load(self, dir):
        self.loaded = torch.load(os.path.join(dir, "model.pt"), weights_only=True)

    def first(self):
        return (self.loaded[name][0] for name in self.values)


peer.serve(Torch)
