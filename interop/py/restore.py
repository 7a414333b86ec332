"""Restores described graphs step by step, for comparison with what Go does.

A case is

    {"saves": [{"graph": GRAPH, "prefix": path, "theirs": bool}, ...],   theirs: TensorFlow saves it, first of all
                                                                         with "named": ids, only these variables,
                                                                         by name and without a graph
     "here": GRAPH,                                                      what is restored into
     "steps": [STEP, ...]}

with GRAPHs as in graphs.py, where "slots" may have, besides "slots", "lazy" ones of the same form: an
optimizer makes those when a restore asks. A STEP is

    {"op": "restore" | "read", "save": i, "skip": bool}
    {"op": "track", "parent": id or -1 for the Checkpoint, "name": name, "object": id}
    {"op": "slot", "parent": id, "name": slot, "variable": id, "object": id}

and the answer to each has the error or "", the objects' values after it, and for each status so far what its
assertions said. A step that fails is the last.
"""

import os
import re
import warnings

import numpy as np
import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint as tf_checkpoint
from tensorflow.python.checkpoint import util
from tensorflow.python.training.saving import saveable_object_util

import graphs
import values


class State(graphs.State):
    def deserialize(self, state):
        if not isinstance(state, bytes):
            raise TypeError("a state is bytes")
        self.state = state


    def __repr__(self):
        return self.label


class Tensors(graphs.Tensors):
    def __repr__(self):
        return self.label

    def _restore_from_tensors(self, restored):
        object.__setattr__(self, "restored", restored)  # a plain one would be tracked


class Optimizer(graphs.Slots):
    """Slots as tf.compat.v1.train.Optimizer keeps them (training/optimizer.py)."""

    def fill_lazy(self, lazy):
        object.__setattr__(self, "_lazy", lazy)
        object.__setattr__(self, "_deferred", {})

    def take(self, name, variable, value):
        for slot, pairs in self._slots:
            if slot == name:
                pairs.append((variable, value))
                return
        self._slots.append((name, [(variable, value)]))

    def get_slot(self, variable, name):
        for slot, pairs in self._slots:
            for of, value in pairs:
                if slot == name and of is variable:
                    return value
        return None

    def make(self, variable, name):
        for slot, pairs in self._lazy:
            for of, value in pairs:
                if slot == name and of is variable:
                    self.take(name, variable, value)
                    return value
        return None

    def _create_or_restore_slot_variable(self, slot_variable_position, slot_name, variable, **_):
        value = self.get_slot(variable, slot_name)
        if value is None:
            value = self.make(variable, slot_name)
        if value is None:
            self._deferred.setdefault((slot_name, id(variable)), []).append(slot_variable_position)
        return value

    def add_slot(self, name, variable, value):
        self.take(name, variable, value)
        waiting = self._deferred.pop((name, id(variable)), [])
        for position in sorted(waiting, key=lambda p: p.restore_uid, reverse=True):
            position.restore(value)


class Builder(graphs.Builder):
    def make(self, spec):
        match spec["kind"]:
            case "slots":
                return Optimizer()
            case "state":
                return State(bytes.fromhex(spec["state"]))
            case "tensors":
                return Tensors([(name, values.decode(value)) for name, value in spec.get("tensors", [])])
        return super().make(spec)

    def fill(self, spec, made):
        super().fill(spec, made)
        if spec["kind"] == "slots":
            made.fill_lazy(
                [(name, [(self.made[v], self.made[s]) for v, s in pairs]) for name, pairs in spec.get("lazy") or []]
            )


class World:
    """One case as it runs."""

    def __init__(self, case):
        self.saves = case["saves"]
        here = case["here"]
        self.specs = here["objects"]
        self.built = Builder(here)
        self.ids = {id(o): i for i, o in enumerate(self.built.made)}
        for i, o in enumerate(self.built.made):
            if isinstance(o, (State, Tensors)):
                object.__setattr__(o, "label", f"<o{i}>")  # as the name of a variable, which its repr has
        attached = self.built.named(here.get("attached") or [])
        if here.get("root") is None:
            self.ckpt = tf.train.Checkpoint(**attached)
        else:
            self.ckpt = tf.train.Checkpoint(self.built.made[here["root"]], **attached)
        self.statuses = []
        self.skips = []

    def run(self, step):
        made = self.built.made
        match step["op"]:
            case "restore" | "read":
                options = tf.train.CheckpointOptions(experimental_skip_slot_variables=step.get("skip", False))
                call = self.ckpt.restore if step["op"] == "restore" else self.ckpt.read
                self.statuses.append(call(self.saves[step["save"]]["prefix"], options=options))
                self.skips.append(step.get("skip", False))
            case "track":
                parent = self.ckpt if step["parent"] < 0 else made[step["parent"]]
                if step["parent"] >= 0 and self.specs[step["parent"]]["kind"] == "dict":
                    parent[step["name"]] = made[step["object"]]
                elif step["parent"] >= 0 and self.specs[step["parent"]]["kind"] == "list":
                    parent.append(made[step["object"]])
                else:
                    setattr(parent, step["name"], made[step["object"]])
            case "slot":
                made[step["parent"]].add_slot(step["name"], made[step["variable"]], made[step["object"]])

    def checks(self):
        return [self.check(s, skip) for s, skip in zip(self.statuses, self.skips)]

    def check(self, status, skip):
        c = status._checkpoint
        if not hasattr(c, "object_graph_proto"):
            return self.check_by_name(status)
        names = tf_checkpoint.ObjectGraphProtoPrettyPrinter(c.object_graph_proto).node_names
        nodes = list(enumerate(c.object_graph_proto.nodes))
        slots = {s.slot_variable_node_id for _, n in nodes for s in n.slot_variables} if skip else set()
        with_values, without = {}, {}
        first = {}
        for i, bound in c.object_by_proto_id.items():  # in the order they were bound
            n, o = c.object_graph_proto.nodes[i], self.ids.get(id(bound))
            if o is not None:
                first.setdefault(o, bool(n.attributes))
                (with_values if n.attributes else without).setdefault(o, []).append(i)
        starved = {o for o, has_values in first.items() if not has_values and o in with_values}
        existing = outcome(status.assert_existing_objects_matched)
        return {
            "consumed": outcome(status.assert_consumed) == "",
            "existing": existing == "",
            "nontrivial": outcome(status.assert_nontrivial_match) == "",
            "unresolved": [names[i] for i, n in nodes if n.attributes and i not in slots and c.object_by_proto_id.get(i) is None],
            "unused": sorted({f"{names[i]} ({a})" for i, all in c.unused_attributes.items() for a in all}),
            "unmatched": sorted(set(int(i) for i in re.findall(r"\bo(\d+)\b", existing))),
            "counter": "save_counter" in existing,
            # Objects that only nodes without tensors are bound to, or one of those first.
            "hollow": sorted(set(without) - set(with_values)),
            "starved": sorted(starved),
            "starved_nodes": [names[i] for o in starved for i in with_values[o]],
        }

    def check_by_name(self, status):
        """NameBasedSaverStatus's one check, without the save counter and what has no values to restore."""
        c, counter = status._checkpoint, getattr(self.ckpt, "_save_counter", None)
        left = [repr(o) for o in c.unused_attributes if o is not counter]
        hollow = False
        for o in util.list_objects(status._object_graph_view):
            if o._update_uid < c.restore_uid and o is not counter:
                if saveable_object_util.saveable_objects_from_trackable(o):
                    left.append(repr(o))
                else:
                    hollow = True
        passes = [
            outcome(f) == ""
            for f in (status.assert_consumed, status.assert_existing_objects_matched, status.assert_nontrivial_match)
        ]
        known = hollow or "save_counter" in outcome(status.assert_consumed)
        if any(p != (not left) for p in passes) and not known:
            raise RuntimeError(f"{left} are left, and the assertions pass: {passes}")
        return {"by_name": True, "left": left}

    def values(self):
        return [graphs.values_of(o) for o in self.built.made]


def save_named(save):
    """Saves as tf.compat.v1.train.Saver does."""
    specs = [save["graph"]["objects"][i] for i in save["named"]]
    os.makedirs(os.path.dirname(save["prefix"]))
    tf.raw_ops.SaveV2(
        prefix=save["prefix"],
        tensor_names=[s["full_name"] for s in specs],
        shape_and_slices=[""] * len(specs),
        tensors=[values.decode(s) for s in specs],
    )


def outcome(f):
    try:
        f()
    except AssertionError as e:
        return str(e)
    return ""


def run(case):
    for s in case["saves"]:
        if s.get("named"):
            save_named(s)
        elif s["theirs"]:
            graphs.save(s["graph"], os.path.dirname(s["prefix"]))
    world = World(case)
    answers = []
    for step in case["steps"]:
        answer = {"error": "", "checks": []}
        try:
            world.run(step)
            answer["checks"] = world.checks()
        except Exception as e:
            answer["error"] = f"{type(e).__name__}: {e}"
        answer["values"] = world.values()
        answers.append(answer)
        if answer["error"]:
            break
    return answers


def register(call):
    @call
    def restore_cases(cases):
        """Runs cases; the answer to each is a list of the answers to its steps."""
        return [run(case) for case in cases]

    @call
    def convert(requests):
        """Numbers as numpy and ml_dtypes convert them."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [converted(r["value"], tf.as_dtype(r["to"])) for r in requests]


def converted(value, to):
    array = values.decode(value).numpy()
    try:
        array = array.astype(to.as_numpy_dtype)
    except TypeError:  # ml_dtypes does not know every way
        wide = np.int64 if array.dtype.itemsize == 1 and "int" in array.dtype.name else np.complex128
        array = array.astype(wide).astype(to.as_numpy_dtype)
    return {"dtype": to.name, "shape": value["shape"], "value": array.tobytes().hex()}
