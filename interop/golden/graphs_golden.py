"""Object graphs whose files our writer must reproduce byte for byte.

Each graph is described in the JSON of py/graphs.py, saved by TensorFlow, and
kept twice over:

    trackable/testdata/tf/NAME.json       the description, the tensors in the order of
                                          the data file, and the object graph
    checkpoint/testdata/tf/NAME/…         the files

The value rule: element i of variable k is k*10+i in the variable's type
(strings: "k.i"; bools: odd is true).
"""

import os
import shutil
import time

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2
from tensorflow.python.checkpoint import checkpoint_management

import graphs
import table
import values
from store import Scratch


class Description:
    """Collects objects; every method returns the new object's id."""

    def __init__(self, name, why, call="save", saves=1, **more):
        self.graph = {"name": name, "why": why, "call": call, "saves": saves} | more
        self.objects = []
        self.root, self.attached, self.late = None, [], []

    def add(self, kind, **fields):
        self.objects.append({"kind": kind} | fields)
        return len(self.objects) - 1

    def node(self, *children):
        return self.add("node", children=[list(c) for c in children])

    def list(self, *items):
        return self.add("list", items=list(items))

    def dict(self, *items):
        return self.add("dict", items=[list(i) for i in items])

    def variable(self, full_name="Variable", dtype="float32", shape=()):
        k = sum(o["kind"] == "variable" for o in self.objects)
        return self.add("variable", full_name=full_name, **value(k, dtype, shape))

    def done(self):
        out = self.graph | {"root": self.root, "attached": self.attached, "late": self.late}
        return out | {"objects": self.objects}


def value(k, dtype, shape):
    """The value of variable k by the rule above."""
    shape = list(shape)
    n = int(np.prod(shape))
    if dtype == "string":
        elems = [(b"%d.%d" % (k, i)).hex() for i in range(n)]
        return {"dtype": dtype, "shape": shape, "strings": elems}
    numbers = np.arange(n) + 10 * k
    if dtype == "bool":
        numbers = numbers % 2
    raw = numbers.astype(tf.as_dtype(dtype).as_numpy_dtype).tobytes()
    return {"dtype": dtype, "shape": shape, "value": raw.hex()}


def plain():
    g = Description("plain", "Checkpoint(v=...), written once: no save_counter", call="write")
    g.attached = [["v", g.variable(shape=[2, 3])]]
    return g


def kwargs():
    g = Description("kwargs", "keywords are sorted, save_counter comes last")
    for name in ("zeta", "alpha", "Beta", "_under"):
        g.attached.append([name, g.variable(name, shape=[2])])
    return g


def rooted():
    g = Description("rooted", "Checkpoint(root): node 0 is the root itself, with an edge to itself")
    b, a = g.variable("b", shape=[2]), g.variable("a")
    g.root = g.node(["b", b], ["a", a])
    return g


def rooted_kwargs():
    g = Description("rooted_kwargs", "attached names and root are sorted together, after the root's own children")
    v = g.variable("v", shape=[3])
    part = g.node(["w", g.variable("w")])
    g.root = g.node(["v", v], ["part", part])
    # "part" is attached to what it names already, "same" names v once more.
    g.attached = [["zeta", g.variable("zeta")], ["alpha", g.variable("alpha")], ["part", part]]
    g.attached += [["same", v], ["me", g.root]]
    return g


def nested():
    g = Description("nested", "numbering is breadth first, and so is the order of the data")
    deep = g.node(["w", g.variable("net/block/deep/w", shape=[2, 2])], ["b", g.variable("net/block/deep/b")])
    block = g.node(["deep", deep], ["scale", g.variable("net/block/scale")])
    net = g.node(["block", block], ["bias", g.variable("net/bias", shape=[3])])
    g.attached = [["net", net], ["step", g.variable("step", "int64")]]
    return g


def lists():
    g = Description("lists", "lists, lists in lists, elements that are not trackable keep their number")
    inner = g.list(g.variable(), g.list(g.variable()))
    g.attached = [["objs", g.list(g.variable(shape=[2]), inner, None, g.variable())]]
    g.attached += [["more", g.list(*[g.variable() for _ in range(12)])]]
    return g


def dicts():
    g = Description("dicts", "dicts keep the order of insertion")
    inner = g.dict(["y", g.variable()], ["b", g.variable()])
    d = g.dict(["z", g.variable()], ["a", g.variable()], ["m", inner], ["", g.variable()])
    g.attached = [["d", d]]
    return g


def tuples():
    g = Description("tuples", "tuples are lists; a named tuple has its fields and its numbers")
    t = g.add("tuple", items=[g.variable(), g.variable()])
    n = g.add("namedtuple", items=[["second", g.variable()], ["first", g.variable()]])
    g.root = g.node(["t", t], ["n", n])
    return g


def shared():
    g = Description("shared", "one object by several paths: the shortest, first found, names it")
    s = g.variable("shared", shape=[2])
    x = g.node(["deep", g.node(["s", s])])
    g.root = g.node(["x", x], ["y", g.node(["s", s], ["again", s], ["x", x])], ["l", g.list(s, x)])
    return g


def cycle():
    g = Description("cycle", "objects that hold each other and themselves")
    v = g.variable("v")
    a = g.node(["v", v])
    b = g.node(["a", a], ["items", g.list(a)])
    g.objects[a]["children"] += [["b", b], ["self", a]]
    # A ring with no values anywhere in it.
    r = g.node()
    g.objects[r]["children"].append(["ring", g.node(["back", r])])
    g.root = g.node(["a", a], ["hollow", r])
    g.objects[b]["children"].append(["top", g.root])
    return g


def escapes():
    g = Description("escapes", "names with dots, slashes and what looks like our own marks")
    names = ["a/b", "a.b", "x..y", ".S", "/", ".", "\xfc", "with space", ".OPTIMIZER_SLOT", "a.Sb"]
    inner = g.dict(*[[n, g.variable("e/%d" % i)] for i, n in enumerate(names)])
    g.root = g.node(*[[n, g.variable()] for n in names], ["inner", inner])
    return g


def empties():
    g = Description("empties", "containers with nothing in them are nodes that reach no values", call="write")
    g.root = g.node(["l", g.list()], ["d", g.dict()], ["n", g.node()], ["ll", g.list(g.list(), None)], ["v", g.variable()])
    return g


def nothing():
    g = Description("nothing", "no variables at all: only save_counter")
    g.root = g.node()
    return g


def hollow():
    g = Description("hollow", "not even save_counter: the graph is the only tensor", call="write")
    g.root = g.node(["l", g.list()])
    return g


def types():
    g = Description("types", "variables of every type that TensorFlow has variables of")
    for d in values.all_dtypes():
        if d.is_quantized or d.name == "float4_e2m1fn" or d.name.endswith("uz"):
            continue
        # Small numbers: 2-bit integers, and float8 is exact here.
        size = [1, 1] if d.name.endswith(("2", "4")) and d.size == 1 else [2, 2]
        k = g.variable(d.name, d.name, size)
        if d.size == 1:
            g.objects[k] |= value(0, d.name, size)
        g.attached.append([d.name, k])
    g.attached.append(["zero", g.variable("zero", shape=[0, 3])])
    g.attached.append(["rank5", g.variable("rank5", "int16", [2, 1, 3, 1, 2])])
    return g


def strings():
    g = Description("strings", "string variables: a scalar, a matrix, none")
    g.attached = [
        ["s", g.variable("s", "string")],
        ["m", g.variable("m", "string", [2, 2])],
        ["none", g.variable("none", "string", [0])],
        ["raw", g.add("variable", full_name="raw", dtype="string", shape=[3], strings=["", "ff00fe", "61" * 200])],
    ]
    return g


def tensors():
    g = Description("tensors", "objects with several tensors of their own, in their own order, not sorted")

    def several(*children):
        named = [["zz", value(20, "int32", [2])], ["a", value(21, "float32", [])], ["names", value(22, "string", [2])]]
        return g.add("tensors", tensors=named, children=[list(c) for c in children])

    # The root has tensors too: its keys begin with a slash.
    g.root = several(["v", g.variable("v")], ["part", several(["w", g.variable("w", shape=[2])])], ["last", g.variable()])
    return g


def marks():
    """What TensorFlow writes but cannot restore itself: it looks for other keys than it wrote."""
    g = Description("marks", "tensor names are escaped once in the name, twice in the key; an edge named like the mark", call="write")
    named = [["a/b", value(20, "float32", [])], ["c.d", value(21, "float32", [2])], ["plain", value(22, "float32", [])]]
    g.attached = [["m", g.add("tensors", tensors=named, children=[])], [".ATTRIBUTES", g.variable()]]
    return g


def state():
    g = Description("state", "PythonState: its strings come after all other tensors, before the graph")
    p = g.add("state", state=b"first".hex())
    g.root = g.node(["p", p], ["v", g.variable("v")], ["q", g.add("state", state=b"\xff\x00".hex())])
    return g


def slots():
    g = Description("slots", "slot variables of two owners, which come after all other nodes")
    a, b, c = g.variable("a", shape=[2]), g.variable("b"), g.variable("c", shape=[3])
    unseen = g.variable("unseen")

    def owner(name, hyper, slot_names, of):
        made = []
        for slot in slot_names:
            pairs = []
            for v in of:
                o = g.objects[v]
                pairs.append([v, g.variable(o["full_name"] + "/" + name + "/" + slot, shape=o["shape"])])
            made.append([slot, pairs])
        return g.add("slots", children=[[h, g.variable(name + "/" + h)] for h in hyper], slots=made)

    # Pairs in an order that is not the variables': the file goes by node.
    second = owner("second", ["rate"], ["momentum", "a/b"], [c, a])
    first = owner("first", ["iter", "beta"], ["m", "v"], [b, a, unseen])
    g.root = g.node(["a", a], ["b", b])
    g.attached = [["opt2", second], ["opt1", first], ["c", c]]
    return g


def counted():
    g = Description("counted", "the third save: save_counter is 3, a late attribute comes after it", saves=3)
    g.attached = [["v", g.variable("v")]]
    g.late = [["late", g.variable("late")], ["early", g.variable("early")]]
    return g


def managed():
    g = Description("managed", "CheckpointManager(max_to_keep=3) after five saves", call="manager", saves=5, max_to_keep=3)
    g.root = g.node(["v", g.variable("v", shape=[4])])
    return g


def preserved():
    g = Description(
        "preserved", "CheckpointManager(max_to_keep=2, keep_checkpoint_every_n_hours): one in two lives on, unlisted",
        call="manager", saves=6, max_to_keep=2, keep_every_hours=2.0 / 3600,
    )
    g.attached = [["v", g.variable("v")]]
    return g


DESCRIBED = [
    plain, kwargs, rooted, rooted_kwargs, nested, lists, dicts, tuples, shared, cycle, escapes, empties, nothing, hollow,
    types, strings, tensors, marks, state, slots, counted, managed, preserved,
]


# The manager's clock: each look at it is a second later. The fractions are
# exact in binary, so that no conversion of times can change them.
START, TICK = 1700000000.125, 1.0


class Clock:
    """Stands in for the module time in TensorFlow's checkpoint management, and nowhere else."""

    def __init__(self):
        self.looks = 0

    def time(self):
        self.looks += 1
        return START + TICK * (self.looks - 1)

    def __enter__(self):
        checkpoint_management.time = self

    def __exit__(self, *_):
        checkpoint_management.time = time


def make(trackable, checkpoint):
    for describe in DESCRIBED:
        graph = describe().done()
        keep(trackable, checkpoint, graph, lambda d, g=graph: graphs.save(g, d))
    for name, optimize in OPTIMIZERS.items():
        optimizer(trackable, checkpoint, name, optimize)


def keep(trackable, checkpoint, graph, save):
    """Saves into a new directory and keeps files and description."""
    with Scratch() as d, Clock():
        path = save(d)
        ordered(trackable, graph, path)
        for f in sorted(os.listdir(d)):
            shutil.copyfile(os.path.join(d, f), checkpoint.path(graph["name"] + "/" + f))
        # Restored by TensorFlow itself, but for what it cannot restore (see README.md).
        if graph["name"] != "marks":
            ckpt, _ = graphs.checkpoint(graph)
            status = ckpt.read(path) if graph["call"] == "write" else ckpt.restore(path)
            if not graph["late"] and graph["name"] not in OPTIMIZERS:
                status.assert_consumed()


def ordered(trackable, graph, path):
    """Writes the description, with the tensors in the order of the data file."""
    entries = []
    for key, entry in table.read(path + ".index")[0]:
        if key:
            e = tensor_bundle_pb2.BundleEntryProto.FromString(entry)
            # A tensor without bytes shares its offset with the next one.
            entries.append((e.offset, e.offset + e.size, key.decode(), e.dtype))
    tensors = []
    for _, _, key, dtype in sorted(entries):
        read = values.read_one(path, key, tf.as_dtype(dtype))
        tensors.append({"name": key} | values.encode(read))
    proto = tensors.pop()
    assert proto["name"] == "_CHECKPOINTABLE_OBJECT_GRAPH", proto["name"]
    out = graph | {"tensors": tensors, "object_graph": proto["strings"][0]}
    if graph["call"] == "manager":
        out |= {"clock_start": START, "clock_tick": TICK}
    trackable.json(graph["name"] + ".json", out)


def tf_keras_adam(variables):
    import tf_keras

    adam = tf_keras.optimizers.legacy.Adam(0.5)
    adam.apply_gradients([(tf.ones_like(v), v) for v in reversed(variables)])
    return adam


def tf_keras_momentum(variables):
    import tf_keras

    sgd = tf_keras.optimizers.legacy.SGD(0.5, momentum=0.25)
    sgd.apply_gradients([(tf.ones_like(v), v) for v in variables])
    return sgd


def v1_adam(variables):
    adam = tf.compat.v1.train.AdamOptimizer(0.5)
    adam.apply_gradients([(tf.ones_like(v), v) for v in variables])
    return adam


OPTIMIZERS = {"tf_keras_adam": tf_keras_adam, "tf_keras_momentum": tf_keras_momentum, "v1_adam": v1_adam}


def optimizer(trackable, checkpoint, name, optimize):
    """A real optimizer, described afterwards from what TensorFlow knows of it."""
    variables = [tf.Variable(tf.zeros([2, 2]), name="kernel"), tf.Variable(tf.zeros([3]), name="bias")]
    opt = optimize(variables)
    g = Description(name, "slots of the real optimizer")
    ids = [describe_variable(g, v) for v in variables]
    children = [[n, describe_variable(g, c)] for n, c in opt._trackable_children().items()]
    pairs = []
    for slot in opt.get_slot_names():
        pairs.append([slot, [[i, describe_variable(g, opt.get_slot(v, slot))] for i, v in zip(ids, variables)]])
    owner = g.add("slots", children=children, slots=pairs)
    g.attached = [["optimizer", owner], ["kernel", ids[0]], ["bias", ids[1]]]
    ckpt = tf.train.Checkpoint(optimizer=opt, kernel=variables[0], bias=variables[1])
    keep(trackable, checkpoint, g.done(), lambda d: ckpt.save(d + "/ckpt"))


def describe_variable(g, v):
    """Gives a variable of TensorFlow's its value by the rule, and describes it."""
    i = g.variable(v.name.removesuffix(":0"), v.dtype.name, v.shape.as_list())
    v.assign(values.decode(g.objects[i]))
    return i
