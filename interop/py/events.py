"""Event files: written by tf.summary, and read by TensorBoard's own readers."""

import glob
import json
import os
import time
import urllib.parse
import urllib.request

import tensorflow as tf
from tensorboard import default, program
from tensorboard.backend.event_processing import event_accumulator, event_file_loader

TENSOR = event_accumulator.TENSORS


def register(call):
    for f in (write_events, write_events_v1, read_events, accumulate, tensorboard):
        call(f)


def write_events(directory):
    """What TensorFlow 2 writes; answers with the file."""
    writer = tf.summary.create_file_writer(directory)
    with writer.as_default():
        tf.summary.scalar("loss", 0.5, step=0)
        tf.summary.scalar("loss", 0.25, step=1)
        tf.summary.scalar("not a number", float("nan"), step=-3)
        tf.summary.scalar("zero", 0.0, step=5)
        tf.summary.scalar("described", tf.constant(7, tf.int64), step=5, description="*what*")
        tf.summary.scalar("große/Zahl", 3e38, step=2**62)
        tf.summary.text("text", "hello **world**", step=2)
        tf.summary.text("texts", ["a", "b"], step=2)
        tf.summary.text("empty", "", step=2)
        tf.summary.histogram("histogram", tf.range(100) % 7, step=3)
        tf.summary.image("image", tf.zeros([1, 2, 2, 3]), step=3)
        tf.summary.write("half", tf.constant([1.5, 2], tf.float16), step=4)
    writer.close()
    (path,) = glob.glob(os.path.join(glob.escape(directory), "*"))
    return path


def write_events_v1(directory):
    """What TensorFlow 1 wrote."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        writer = v1.summary.FileWriter(directory, graph)
        for step in range(3):
            value = v1.Summary.Value(tag="loss", simple_value=1.5 * step)
            writer.add_summary(v1.Summary(value=[value, v1.Summary.Value(tag="acc", simple_value=step)]), step)
        with v1.Session() as session:
            histogram = session.run(v1.summary.histogram("histogram", tf.constant([1.0, 2.0, 2.0])))
        writer.add_summary(histogram, 3)
        writer.add_session_log(v1.SessionLog(status=v1.SessionLog.STOP), 3)
        writer.close()
    (path,) = glob.glob(os.path.join(glob.escape(directory), "*"))
    return path


def number(x):
    """JSON has no NaN."""
    return repr(float(x))


def read_events(path):
    """The events of one file, as TensorBoard's loader gives them: TensorFlow 1's scalars are changed to TensorFlow 2's."""
    events = []
    for e in event_file_loader.EventFileLoader(path).Load():
        values = []
        for v in e.summary.value:
            array = tf.make_ndarray(v.tensor)
            values.append(
                {
                    "tag": v.tag,
                    "plugin": v.metadata.plugin_data.plugin_name,
                    "description": v.metadata.summary_description,
                    "dtype": tf.as_dtype(v.tensor.dtype).name,
                    "shape": list(array.shape),
                    "scalar": number(array) if array.shape == () and array.dtype.kind in "fiu" else "",
                    "text": array.item().decode() if array.shape == () and array.dtype.kind == "O" else "",
                }
            )
        events.append({"time": repr(e.wall_time), "step": e.step, "version": e.file_version, "values": values})
    return events


def accumulate(directory):
    """What TensorBoard has read of a run: points by tag, scalars and texts."""
    accumulator = event_accumulator.EventAccumulator(directory, size_guidance={TENSOR: 0})
    accumulator.Reload()
    points = {}
    for tag in accumulator.Tags()[TENSOR]:
        plugin = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
        for e in accumulator.Tensors(tag):
            value = tf.make_ndarray(e.tensor_proto).item()
            points.setdefault(tag, []).append(
                {
                    "plugin": plugin,
                    "step": e.step,
                    "time": repr(e.wall_time),
                    "value": value.decode() if isinstance(value, bytes) else number(value),
                }
            )
    return points


def tensorboard(directory, tag, run="."):
    """Starts TensorBoard and answers with what its scalars page would draw."""
    board = program.TensorBoard(default.get_plugins())
    board.configure(argv=[None, "--logdir", directory, "--port", "0", "--load_fast=false", "--reload_interval=0"])
    url = board.launch()
    query = urllib.parse.urlencode({"tag": tag, "run": run})
    for _ in range(200):
        with urllib.request.urlopen(url + "data/plugin/scalars/tags") as answer:
            if tag in json.load(answer).get(run, {}):
                break
        time.sleep(0.05)
    with urllib.request.urlopen(url + "data/plugin/scalars/scalars?" + query) as answer:
        return json.load(answer)
