"""TensorFlow V1 checkpoints (single-file tables of slices) for format/tensorslice."""

import glob
import os
import shutil

import numpy as np
import tensorflow as tf

import bundles
import values
from store import Scratch


def make(store):
    dtypes(store)
    slices(store)
    large(store)
    saver(store, "saver", False)
    saver(store, "saver_sharded", True)


def dtypes(store):
    """Every type the op Save takes."""
    named = [("string", tf.constant([b"", b"a", b"\xff\x00"])), ("scalar", tf.constant(2.5)), ("empty", tf.zeros([0, 3]))]
    for d in values.all_dtypes():
        raw = bundles.patterns(d)
        tensor = values.from_bytes(d, [len(raw) // d.size], raw)
        try:
            with Scratch() as s:
                tf.raw_ops.Save(filename=s + "/x", tensor_names=["x"], data=[tensor])
        except tf.errors.UnimplementedError:
            continue
        except tf.errors.InvalidArgumentError:
            continue
        named.append((d.name, tensor))
    tf.raw_ops.Save(
        filename=store.path("dtypes"), tensor_names=[n for n, _ in named], data=[t for _, t in named]
    )
    bundles.describe(store, "dtypes", "tf.raw_ops.Save")


def slices(store):
    emb = np.arange(10 * 4, dtype=np.float32).reshape(10, 4)
    cube = np.arange(4 * 3 * 2, dtype=np.int64).reshape(4, 3, 2)
    named = [
        ("emb", emb[0:5], "10 4 0,5:-"),
        ("cube", cube[2:4, 0:1], "4 3 2 2,2:0,1:-"),
        ("plain", np.float64(1.5), ""),
        ("emb", emb[5:10], "10 4 5,5:0,4"),
        ("cube", cube[0:2, 0:1], "4 3 2 0,2:0,1:-"),
        ("cube", cube[:, 1:3], "4 3 2 -:1,2:-"),
    ]
    tf.raw_ops.SaveSlices(
        filename=store.path("slices"),
        tensor_names=[n for n, _, _ in named],
        shapes_and_slices=[s for _, _, s in named],
        data=[tf.constant(t) for _, t, _ in named],
    )
    bundles.describe_slices(store, "slices", "tf.raw_ops.SaveSlices", {"emb": emb, "cube": cube})


def large(store):
    """Values above twice the block size, which makes TensorFlow's table end a block early."""
    named = [
        ("a", tf.constant(1.0)),
        ("b", tf.ones([150000])),
        ("c", tf.constant(2.0)),
        ("d", tf.fill([70000], np.float64(3))),
        ("e", tf.constant(4.0)),
    ]
    tf.raw_ops.Save(
        filename=store.path("large"), tensor_names=[n for n, _ in named], data=[t for _, t in named]
    )
    bundles.describe(store, "large", "tf.raw_ops.Save; several data blocks")
    store.gzip("large")
    store.gzip("large.json")


def saver(store, name, sharded):
    """tf.compat.v1.train.Saver(write_version=V1), with Adam's slots and a partitioned variable."""
    v1 = tf.compat.v1
    config = v1.ConfigProto(device_count={"CPU": 2})
    with tf.Graph().as_default(), v1.Session(config=config) as session, Scratch() as d:
        bundles.tf1_model(v1)
        session.run(v1.global_variables_initializer())
        for k, v in enumerate(sorted(v1.global_variables(), key=lambda v: v.name)):
            v.load(bundles.ramp(k, v.shape, v.dtype.base_dtype.as_numpy_dtype), session)
        v1.train.Saver(sharded=sharded, write_version=v1.train.SaverDef.V1).save(
            session, d + "/" + name, write_meta_graph=False, write_state=False
        )
        whole = session.run(v1.get_collection("emb"))[0]
        for f in glob.glob(d + "/" + name + "*"):
            shutil.copy(f, store.path(os.path.basename(f)))
    made_by = "tf.compat.v1.train.Saver(write_version=V1, sharded=%s)" % sharded
    bundles.describe_slices(store, name, made_by, {"emb": whole})
