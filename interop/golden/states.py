"""`checkpoint` state files, as TensorFlow writes them and as it reads them.

Each file lies in testdata/tf/states/NAME; states.json says what TensorFlow
makes of it: its fields as they stand in the file, and what
tf.train.get_checkpoint_state answers ("state", "none" when the file counts
as absent, or "error"). Files with "written" come from TensorFlow itself.
"""

import os

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.checkpoint import checkpoint_management
from tensorflow.python.training.checkpoint_state_pb2 import CheckpointState

from store import Scratch


# What TensorFlow writes: name -> arguments. {dir} is the directory.
WRITTEN = {
    "one": dict(latest="{dir}/ckpt-1"),
    "relative": dict(
        latest="{dir}/ckpt-3",
        paths=["{dir}/ckpt-1", "{dir}/ckpt-2", "{dir}/ckpt-3"],
        timestamps=[1700000001.0, 1700000002.5, 1700000003.25],
        preserved=1699999999.5,
    ),
    "absolute": dict(
        latest="/models/run/ckpt-2", paths=["/models/run/ckpt-1", "/models/run/ckpt-2"], relative=False
    ),
    # A run whose checkpoints lie elsewhere.
    "outside": dict(latest="{dir}/../other/ckpt-9", paths=["{dir}/sub/ckpt-8", "{dir}/../other/ckpt-9"]),
    "latest_not_listed": dict(latest="{dir}/b", paths=["{dir}/a"]),
    "escapes": dict(
        latest="{dir}/\u65e5\u672c",
        paths=[
            '{dir}/double"quote',
            "{dir}/single'quote",
            "{dir}/back\\slash",
            "{dir}/tab\tnewline\nreturn\rend",
            "{dir}/bell\x07escape\x1bdelete\x7f1",
            "{dir}/space and #hash",
            "{dir}/\xfcmlaut",
            "{dir}/\U0001f600",
            "{dir}/[glob]*?",
            "{dir}/\u65e5\u672c",
        ],
    ),
    # The shortest form that reads back the same, as Python prints it.
    "floats": dict(
        latest="{dir}/ckpt-10",
        paths=["{dir}/ckpt-%d" % i for i in range(1, 11)],
        timestamps=[
            1610001489.3050854, 0.1, 1e-05, 0.0001, 123456789012345680.0,
            1e15, 1e16, 1e22, 5e-324, 1.7976931348623157e308,
        ],
        preserved=1234567.0,
    ),
    "negative_times": dict(latest="{dir}/a", paths=["{dir}/a"], timestamps=[-1.5], preserved=-0.5),
    "infinite_times": dict(
        latest="{dir}/b", paths=["{dir}/a", "{dir}/b"],
        timestamps=[float("inf"), float("-inf")], preserved=float("nan"),
    ),
}

# What people, other programs and crashes leave behind.
FOUND = {
    "empty": b"",
    "only_newline": b"\n",
    "garbage": b"\x00\x01\xff not a text proto",
    "torn": b'model_checkpoint_path: "ckpt-3"\nall_model_checkpoint_paths: "ckpt-',
    "torn_between_lines": b'model_checkpoint_path: "ckpt-3"\n',
    "no_latest": b'all_model_checkpoint_paths: "ckpt-1"\n',
    "unknown_field": b'model_checkpoint_path: "ckpt-1"\nstep: 7\n',
    "single_quotes": b"model_checkpoint_path: 'ckpt-1'\nall_model_checkpoint_paths: 'ck\\'pt'\n",
    "concatenated": b'model_checkpoint_path: "ck" \'pt\'\n  "-1"\n',
    "one_line": b'model_checkpoint_path:"ckpt-1" all_model_checkpoint_paths:"ckpt-1"',
    "separators": b'model_checkpoint_path: "ckpt-1"; last_preserved_timestamp: 1.5,\n',
    "comments": b'# made by hand\nmodel_checkpoint_path: "ckpt-1" # newest\n',
    "list_syntax": b'model_checkpoint_path: "b"\nall_model_checkpoint_paths: ["a", "b"]\nall_model_checkpoint_timestamps: [1, 2.5e3]\n',
    "crlf": b'model_checkpoint_path: "ckpt-1"\r\nall_model_checkpoint_paths: "ckpt-1"\r\n',
    "raw_utf8": 'model_checkpoint_path: "\u65e5\u672c"\n'.encode(),
    "octal": b'model_checkpoint_path: "\\303\\274mlaut"\n',
    "hex": b'model_checkpoint_path: "\\xc3\\xbcmlaut"\n',
    "not_utf8": b'model_checkpoint_path: "\\377"\n',
    "twice": b'model_checkpoint_path: "a"\nmodel_checkpoint_path: "b"\n',
    "bom": b'\xef\xbb\xbfmodel_checkpoint_path: "ckpt-1"\n',
    "dot_slash": b'model_checkpoint_path: "./ckpt-1"\nall_model_checkpoint_paths: "./ckpt-1"\n',
    "integer_times": b'model_checkpoint_path: "a"\nall_model_checkpoint_paths: "a"\nall_model_checkpoint_timestamps: 1700000000\n',
    "float_suffix": b'model_checkpoint_path: "a"\nlast_preserved_timestamp: 1.5f\n',
    "fewer_times": b'model_checkpoint_path: "b"\nall_model_checkpoint_paths: "a"\nall_model_checkpoint_paths: "b"\nall_model_checkpoint_timestamps: 1.0\n',
    "newline_in_string": b'model_checkpoint_path: "a\nb"\n',
    "nul_in_string": b'model_checkpoint_path: "a\\000b"\n',
}


def make(store):
    out = []
    for name, args in WRITTEN.items():
        write(store.path("states/" + name), **args)
        out.append(read(store, name, written=True))
    for name, data in FOUND.items():
        with open(store.path("states/" + name), "wb") as f:
            f.write(data)
        out.append(read(store, name, written=False))
    store.json("states.json", {"made_by": "TensorFlow " + tf.__version__, "states": out})


def write(path, latest, paths=None, timestamps=None, preserved=None, relative=True):
    with Scratch() as d:
        checkpoint_management.update_checkpoint_state_internal(
            d,
            latest.format(dir=d),
            all_model_checkpoint_paths=[p.replace("{dir}", d) for p in paths or []],
            all_model_checkpoint_timestamps=timestamps,
            last_preserved_timestamp=preserved,
            save_relative_paths=relative,
        )
        with open(d + "/checkpoint", "rb") as f, open(path, "wb") as g:
            g.write(f.read())


def read(store, name, written):
    with open(store.path("states/" + name), "rb") as f:
        data = f.read()
    out = {"name": name, "written": written}
    with Scratch() as d:
        with open(d + "/checkpoint", "wb") as f:
            f.write(data)
        try:
            state = tf.train.get_checkpoint_state(d)
        except Exception as e:
            return out | {"result": "error", "error": str(e).replace(d, "DIR").splitlines()[0]}
        if state is None:
            return out | {"result": "none"}
        out |= {"result": "state", "latest_checkpoint": latest(d, state)}
    return out | fields(text_format.Merge(data.decode(), CheckpointState()))


def latest(directory, state):
    """What tf.train.latest_checkpoint answers once the newest one's index exists."""
    index = state.model_checkpoint_path + ".index"
    if not os.path.normpath(index).startswith(directory) or "\0" in index:
        return None
    with open(index, "w"):
        pass
    path = tf.train.latest_checkpoint(directory)
    return path and path.replace(directory, "DIR")


def fields(state):
    # Times as text: JSON has no infinities, and a program in another language
    # should compare the very digits.
    return {
        "model_checkpoint_path": state.model_checkpoint_path,
        "all_model_checkpoint_paths": list(state.all_model_checkpoint_paths),
        "all_model_checkpoint_timestamps": [repr(t) for t in state.all_model_checkpoint_timestamps],
        "last_preserved_timestamp": repr(state.last_preserved_timestamp),
    }
