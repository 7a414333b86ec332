"""Sharding policies: what TensorFlow makes of tensors and a limit.

TensorFlow's MaxShardSizePolicy does not return for some tensors. It then keeps
opening shards that are of no use, which is seen here and ends it.
"""

import tensorflow as tf
from tensorflow.python.checkpoint.sharding import sharding_policies, sharding_util
from tensorflow.python.framework import device as device_lib
from tensorflow.python.ops import variables

import graphs
import values


class Endless(Exception):
    """The policy would go on for ever."""


class Policy(tf.train.experimental.MaxShardSizePolicy):
    """TensorFlow's own policy, which raises where it would not return."""

    class MaxShardSizePartitioner(sharding_policies.MaxShardSizePolicy.MaxShardSizePartitioner):
        def _get_next_partition(self):
            axis, size = super()._get_next_partition()
            # No slab fits, and the next shard has no more room than this one.
            if size == 0 and self._shard_size_remaining == self.max_shard_size:
                raise Endless("no slab fits into an empty shard")
            return axis, size


def shardable(spec):
    """The ShardableTensor of a description."""
    tensor = values.decode(spec["value"])
    slice_spec = ""
    if spec.get("start") is not None:
        slice_spec = variables.Variable.SaveSliceInfo(
            full_name=spec["name"], full_shape=spec["full"], var_offset=spec["start"], var_shape=tensor.shape.as_list()
        ).spec
    return sharding_util.ShardableTensor(
        _tensor_save_spec=None,
        tensor=tensor,
        dtype=tensor.dtype,
        device=device_lib.DeviceSpec.from_string("CPU:0"),
        name=spec["name"],
        shape=tensor.shape,
        slice_spec=slice_spec.strip(),
        checkpoint_key=spec["name"],
        trackable=None,
    )


def parts(shard):
    """What a shard holds: of each tensor its name, where it begins, and its value."""
    out = []
    for name, slices in shard.items():
        for spec, tensor in slices.items():
            start = None
            if spec:
                start = [int(n) for n in variables.Variable.SaveSliceInfo.from_spec(spec).var_offset]
            out.append({"name": name, "start": start, "value": values.encode(tensor)})
    return out


def max_shard_size(tensors, limit):
    """The layout of described tensors; null where TensorFlow would not return."""
    try:
        return [parts(shard) for shard in Policy(limit)([shardable(t) for t in tensors])]
    except Endless:
        return None


def save_sharded(graph, directory, limit):
    """Saves a described graph in shards; answers whether TensorFlow can."""
    ckpt, built = graphs.checkpoint(graph)
    options = tf.train.CheckpointOptions(experimental_sharding_callback=Policy(limit))
    save = ckpt.write if graph["call"] == "write" else ckpt.save
    try:
        for n in range(graph.get("saves", 1)):
            if n == 1:
                for name, made in built.named(graph.get("late", [])).items():
                    setattr(ckpt, name, made)
            save(directory + "/ckpt", options=options)
    except Endless:
        return False
    return True


def register(call):
    call(max_shard_size)
    call(save_sharded)
