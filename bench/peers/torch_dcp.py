"""torch.distributed.checkpoint (DCP), a process alone, restoring in place."""

import warnings

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

import peer

warnings.filterwarnings("ignore")


class DCP(peer.Peer):
    version = torch.__version__

    def __init__(self):
        # async_save asks for a group with a backend of processors.
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)

    def make(self, values):
        self.values = {f"v{i}": torch.from_numpy(v) for i, v in enumerate(values)}

    def save(self, dir):
        dcp.save(self.values, checkpoint_id=dir)

    def spoil(self):
        for v in self.values.values():
            v[0] = -7

    def load(self, dir):
        dcp.load(self.values, checkpoint_id=dir)

    def first(self):
        return (v[0] for v in self.values.values())

    def save_async(self, dir, returned):
        future = dcp.async_save(self.values, checkpoint_id=dir)
        returned()
        future.result()


peer.serve(DCP)
