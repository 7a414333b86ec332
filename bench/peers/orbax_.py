"""Orbax: StandardCheckpointHandler of JAX arrays, sync, async, and CheckpointManager."""

import logging
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import orbax.checkpoint as ocp

import peer

logging.disable(logging.WARNING)


class Orbax(peer.Peer):
    version = ocp.__version__

    def make(self, values):
        self.values = {f"v{i}": jax.block_until_ready(jax.numpy.array(v)) for i, v in enumerate(values)}
        self.shapes = jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=v.sharding), self.values)
        self.sync = ocp.Checkpointer(ocp.StandardCheckpointHandler())
        self.background = ocp.AsyncCheckpointer(ocp.StandardCheckpointHandler())

    def save(self, dir):
        self.sync.save(os.path.join(dir, "state"), args=ocp.args.StandardSave(self.values))

    def load(self, dir):
        self.loaded = jax.block_until_ready(
            self.sync.restore(os.path.join(dir, "state"), args=ocp.args.StandardRestore(self.shapes)))

    def first(self):
        return (self.loaded[name][0] for name in self.values)

    def save_async(self, dir, returned):
        self.background.save(os.path.join(dir, "state"), args=ocp.args.StandardSave(self.values))
        returned()
        self.background.wait_until_finished()

    def small(self, dir, saves, keep):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        with ocp.CheckpointManager(dir, options=options) as manager:
            for step in range(saves):
                manager.save(step, args=ocp.args.StandardSave(self.values))


peer.serve(Orbax)
