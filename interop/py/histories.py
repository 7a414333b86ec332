"""Histories of managers: what TensorFlow's CheckpointManager does, step by step.

A history is a list of steps that the Go side made up (interop/histories_test.go),
each with the clock's time and the training step. The answer has, for each, what
was returned or raised and what there is then: lists, values, files, state file.
"""

import logging
import os
import re
import shutil
import types
import zlib

import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint_management


class Blown(Exception):
    pass


class Fuse(tf.train.experimental.PythonState):
    """An object whose saving fails when it is told to."""

    blown = False

    def serialize(self):
        if self.blown:
            raise Blown
        return b"fuse"

    def deserialize(self, string_value):
        pass


class Slot:
    """A place for a manager and the checkpoint it saves."""

    def __init__(self):
        self.manager = self.checkpoint = self.v = self.fuse = None

    def make_checkpoint(self, wide):
        self.v, self.fuse = tf.Variable(0.0, name="v"), Fuse()
        more = {"w": tf.Variable(-1.0, name="w")} if wide else {}
        self.checkpoint = tf.train.Checkpoint(v=self.v, fuse=self.fuse, **more)

    def take_checkpoint(self, other):
        self.checkpoint, self.v, self.fuse = other.checkpoint, other.v, other.fuse

    def seen(self):
        if self.checkpoint is None:
            return None
        counter = self.checkpoint._save_counter
        seen = {"value": float(self.v.numpy()), "count": 0 if counter is None else int(counter.numpy())}
        if self.manager is not None:
            seen["managed"] = True
            seen["list"] = [self.relative(p) for p in self.manager.checkpoints]
            seen["latest"] = self.relative(self.manager.latest_checkpoint)
        return seen

    def relative(self, path):
        return "" if path is None else os.path.relpath(path, self.manager.directory)


class World:
    def __init__(self, base, relative):
        self.base, self.is_relative, self.home = base, relative, 0
        self.slots, self.inits = [Slot(), Slot()], 0
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.time = 0.0
        os.makedirs(base)

    def directory(self, style=0):
        name = f"run{self.home}"
        if not self.is_relative:
            return os.path.join(self.base, name)
        return (name, "./" + name, name + "/")[style]

    def absolute(self, name=""):
        return os.path.join(self.base, f"run{self.home}", name)

    def run(self, step):
        self.time = step["clock"]
        self.step.assign(step["step"])
        slot = self.slots[step["slot"]]
        if slot.v is not None and step["value"]:
            slot.v.assign(step["value"])
        path, error = "", ""
        try:
            path = getattr(self, "do_" + step["do"])(slot, step) or ""
        except Exception as e:
            error = kind(e)
        return {"path": path, "error": error, "slots": [s.seen() for s in self.slots], "inits": self.inits,
                "state": self.state(), "files": self.files(), "found": self.found()}

    # What can happen.

    def do_nothing(self, slot, step):
        pass

    def do_open(self, slot, step):
        slot.manager = None
        other = self.slots[1 - step["slot"]]
        if step["share"] and other.checkpoint is not None:
            slot.take_checkpoint(other)
        elif step["fresh"] or slot.checkpoint is None:
            slot.make_checkpoint(step["wide"])

        def init():
            self.inits += 1
            slot.v.assign(-7.0)

        o = step["options"]
        slot.manager = tf.train.CheckpointManager(
            slot.checkpoint, self.directory(step["style"]), o["keep"],
            keep_checkpoint_every_n_hours=o["hours"], checkpoint_name=o["name"],
            step_counter=self.step if o["counter"] else None, checkpoint_interval=o["interval"],
            init_fn=init if o["init"] else None, last_checkpoint_step=o["last"])

    def do_save(self, slot, step):
        if slot.manager is None:
            return None
        number = step["number"]
        if number is not None and step["tensor"]:
            number = tf.Variable(number, dtype=tf.int64)
        slot.fuse.blown = step["broken"]
        try:
            path = slot.manager.save(checkpoint_number=number, check_interval=not step["force"])
        finally:
            slot.fuse.blown = False
        return path and slot.relative(path)

    def do_init(self, slot, step):
        if slot.manager is None:
            return None
        path = slot.manager.restore_or_initialize()
        return path and slot.relative(path)

    def do_restore(self, slot, step):
        if slot.manager is None or not slot.manager.checkpoints:
            return None
        paths = slot.manager.checkpoints
        path = paths[step["pick"] % len(paths)]
        slot.checkpoint.restore(path).expect_partial()
        return slot.relative(path)

    def do_plain(self, slot, step):
        if slot.checkpoint is None:
            return None
        path = slot.checkpoint.save(os.path.join(self.directory(), step["name"]))
        return os.path.relpath(path, self.directory())

    def do_remove(self, slot, step):
        """Somebody removes files of a checkpoint."""
        there = sorted({re.sub(r"\.(index|data-00000-of-00001)$", "", n) for n in self.files() if not n.endswith("checkpoint")})
        if not there:
            return None
        path = there[step["pick"] % len(there)]
        for suffix in step["parts"]:
            if os.path.exists(self.absolute(path + suffix)):
                os.remove(self.absolute(path + suffix))
        return path

    def do_edit(self, slot, step):
        """Somebody changes the state file."""
        text = EDITS[step["how"]](self.state() or "", self)
        if text is None:
            if self.state() is not None:
                os.remove(self.absolute("checkpoint"))
            return
        os.makedirs(self.absolute(), exist_ok=True)
        with open(self.absolute("checkpoint"), "w", encoding="latin-1") as f:
            f.write(text)

    def do_move(self, slot, step):
        """Somebody moves or copies the directory; the process begins anew."""
        was = self.absolute()
        self.home += 1
        for s in self.slots:
            s.manager = None
        if os.path.exists(was):
            shutil.copytree(was, self.absolute())
            if not step["copy"]:
                shutil.rmtree(was)

    # What there is.

    def state(self):
        if not os.path.exists(self.absolute("checkpoint")):
            return None
        with open(self.absolute("checkpoint"), encoding="latin-1") as f:
            return f.read()

    def files(self):
        sums = {}
        for below, _, names in os.walk(self.absolute()):
            for name in names:
                path = os.path.join(below, name)
                short = os.path.relpath(path, self.absolute())
                if short != "checkpoint":
                    with open(path, "rb") as f:
                        sums[short] = zlib.crc32(f.read())
        return sums

    def found(self):
        try:
            path = tf.train.latest_checkpoint(self.directory())
        except ValueError:
            return ""
        return "" if path is None else os.path.relpath(path, self.directory())


def kind(e):
    """The class of an error, in words that both sides use."""
    if isinstance(e, Blown):
        return "blown"
    if isinstance(e, tf.errors.NotFoundError) or "No such file" in str(e):
        return "missing"
    if isinstance(e, ValueError):
        return "invalid"
    return f"{type(e).__name__}: {e}"


def lines(text, keep):
    return "".join(line for line in text.splitlines(True) if keep(line))


def repeated(text, field):
    """text with the first line of a field twice."""
    return re.sub(rf"^({field}: .*\n)", r"\1\1", text, count=1, flags=re.M)


def first(text, field):
    return next((line for line in text.splitlines(True) if line.startswith(field)), "")


def without_last(text, field):
    all_lines = text.splitlines(True)
    at = [i for i, line in enumerate(all_lines) if line.startswith(field)]
    return "".join(all_lines[:at[-1]] + all_lines[at[-1] + 1:]) if at else text


def preserved(text, time):
    return lines(text, lambda l: not l.startswith("last_preserved")) + (f"last_preserved_timestamp: {time!r}\n" if text else "")


TIMES, PATHS = "all_model_checkpoint_timestamps", "all_model_checkpoint_paths"

EDITS = {
    "removed": lambda text, w: None,
    "empty": lambda text, w: "",
    "garbage": lambda text, w: "\x01garbage: \n",
    "torn": lambda text, w: text[: len(text) // 2] + '"',
    "not utf-8": lambda text, w: 'model_checkpoint_path: "\xff"\n',
    "no latest": lambda text, w: lines(text, lambda l: not l.startswith("model_")),
    "no times": lambda text, w: lines(text, lambda l: not l.startswith(TIMES)),
    "fewer times": lambda text, w: without_last(text, TIMES),
    "more times": lambda text, w: repeated(text, TIMES),
    "a path twice": lambda text, w: text + first(text, PATHS) + first(text, TIMES),
    "fewer paths": lambda text, w: without_last(without_last(text, PATHS), TIMES),
    "no preserved": lambda text, w: lines(text, lambda l: not l.startswith("last_preserved")),
    "preserved now": lambda text, w: preserved(text, w.time),
    "preserved later": lambda text, w: preserved(text, w.time + 1000.5),
    "absolute": lambda text, w: re.sub(r': "(?!/)', f': "{w.absolute()}', text),
}


def register(call):
    call(manager_histories)


def manager_histories(list):
    """Runs histories; answers with a log of each."""
    logger, here = tf.get_logger(), os.getcwd()
    level, real = logger.level, checkpoint_management.time
    logger.setLevel(logging.CRITICAL)
    try:
        return [history(h) for h in list]
    finally:
        checkpoint_management.time = real
        logger.setLevel(level)
        os.chdir(here)


def history(h):
    world = World(h["base"], h["relative"])
    checkpoint_management.time = types.SimpleNamespace(time=lambda: world.time)
    os.chdir(h["base"])
    log = [world.run(step) for step in h["steps"]]
    os.chdir("/")
    shutil.rmtree(h["base"])
    return log
