"""Object graphs described in JSON, built and saved by TensorFlow.

The same description is built in Go (package interop/graphs), so that both
sides can be asked for the bytes of one graph. A graph is

    {"name": "...",
     "objects": [OBJECT, ...],           an object's id is its place in this list
     "root": id or null,                 tf.train.Checkpoint(root, **attached)
     "attached": [[name, id], ...],
     "late": [[name, id], ...],          attributes set on the Checkpoint after the first save
     "call": "write" | "save" | "manager",
     "saves": n,                         how often it is saved; each overwrites nothing
     "max_to_keep": n or null, "keep_every_hours": x or null}   for "manager"

and an OBJECT, by its "kind":

    node        children: [[name, id], ...]     attributes, in this order
    list        items: [id or null, ...]        null: an element that is not trackable
    tuple       items: [id, ...]
    namedtuple  items: [[field, id], ...]
    dict        items: [[key, id], ...]
    variable    full_name, and a value (see values.py)
    tensors     tensors: [[name, value], ...], children: [[name, id], ...]
                an object with several tensors of its own
    state       state: hex                      tf.train.experimental.PythonState
    slots       children: [[name, id], ...], slots: [[slot, [[variable id, value id], ...]], ...]
                an optimizer
"""

import collections

import tensorflow as tf

import values

# The base of tf.Module; without its properties, so that any attribute name is free.
Node = tf.__internal__.tracking.AutoTrackable


class Tensors(Node):
    """An object that has several tensors of its own."""

    def __init__(self, tensors):
        self._kept = {name: tensor for name, tensor in tensors}
        # An attribute holding a dict would be tracked as a child.
        self._self_unconditional_checkpoint_dependencies.clear()
        self._self_unconditional_dependency_names.clear()

    def _serialize_to_tensors(self):
        return dict(self._kept)

    def _restore_from_tensors(self, restored):
        self.restored = restored


class State(tf.train.experimental.PythonState):
    """State that is a string to TensorFlow."""

    def __init__(self, state):
        self.state = state

    def serialize(self):
        return self.state

    def deserialize(self, state):
        self.state = state


class Slots(Node):
    """An object with slot variables, which is all that an optimizer is to a checkpoint."""

    def fill(self, slots):
        object.__setattr__(self, "_slots", slots)

    def get_slot_names(self):
        return [name for name, _ in self._slots]

    def get_slot(self, variable, name):
        for of, value in dict(self._slots)[name]:
            if of is variable:
                return value
        return None

    def _create_or_restore_slot_variable(self, slot_variable_position, slot_name, variable, **_):
        # Called by restore; the slot exists already.
        slot_variable_position.restore(self.get_slot(variable, slot_name))


class Builder:
    """Builds the objects of one description, in two steps so that cycles are possible."""

    def __init__(self, graph):
        self.specs = graph["objects"]
        self.made = [None] * len(self.specs)
        for i in range(len(self.specs)):
            self.get(i)
        for spec, made in zip(self.specs, self.made):
            self.fill(spec, made)

    def get(self, i):
        if self.made[i] is None:
            self.made[i] = self.make(self.specs[i])
        return self.made[i]

    def make(self, spec):
        wrap = tf.__internal__.tracking.wrap
        match spec["kind"]:
            case "node":
                return Node()
            case "list":
                return wrap([])
            case "dict":
                return wrap({})
            case "tuple":
                # Tuples cannot be filled later; they may not be part of a cycle.
                return wrap(tuple(self.get(i) for i in spec["items"]))
            case "namedtuple":
                fields = collections.namedtuple("T", [f for f, _ in spec["items"]])
                return wrap(fields(*[self.get(i) for _, i in spec["items"]]))
            case "variable":
                return tf.Variable(values.decode(spec), name=spec["full_name"])
            case "tensors":
                return Tensors([(name, values.decode(value)) for name, value in spec.get("tensors", [])])
            case "state":
                return State(bytes.fromhex(spec["state"]))
            case "slots":
                return Slots()
        raise ValueError("unknown kind " + spec["kind"])

    def fill(self, spec, made):
        match spec["kind"]:
            case "list":
                for i in spec["items"]:
                    made.append("not trackable" if i is None else self.made[i])
            case "dict":
                for key, i in spec["items"]:
                    made[key] = self.made[i]
            case "slots":
                made.fill(
                    [
                        (name, [(self.made[v], self.made[s]) for v, s in pairs])
                        for name, pairs in spec.get("slots", [])
                    ]
                )
        for name, i in spec.get("children", []):
            setattr(made, name, self.made[i])

    def named(self, pairs):
        return {name: self.made[i] for name, i in pairs}


def checkpoint(graph):
    """The tf.train.Checkpoint of a description, and its objects."""
    built = Builder(graph)
    attached = built.named(graph.get("attached", []))
    if graph.get("root") is None:
        return tf.train.Checkpoint(**attached), built
    return tf.train.Checkpoint(built.made[graph["root"]], **attached), built


def save(graph, directory):
    """Saves a description as it says; returns the prefix of the last checkpoint."""
    ckpt, built = checkpoint(graph)
    return save_objects(graph, ckpt, built.named(graph.get("late", [])), directory)


def save_objects(graph, ckpt, late, directory):
    prefix = directory + "/ckpt"
    call = graph["call"]
    if call == "manager":
        manager = tf.train.CheckpointManager(
            ckpt,
            directory,
            max_to_keep=graph.get("max_to_keep"),
            keep_checkpoint_every_n_hours=graph.get("keep_every_hours"),
        )
    path = None
    for n in range(graph.get("saves", 1)):
        if n == 1:
            for name, made in late.items():
                setattr(ckpt, name, made)
        match call:
            case "write":
                path = ckpt.write(prefix)
            case "save":
                path = ckpt.save(prefix)
            case "manager":
                path = manager.save()
    return path


def values_of(made):
    """The values an object holds by now: of a variable, of several tensors, of a state; else none."""
    if isinstance(made, tf.Variable):
        return [values.encode(made.read_value())]
    if isinstance(made, Tensors):
        now = getattr(made, "restored", made._kept)
        return [{"name": name} | values.encode(tf.convert_to_tensor(now[name])) for name in made._kept]
    if isinstance(made, State):
        return [values.encode(tf.constant(made.state))]
    return []
