"""What the benchmarks' processes say to each other, as bench/peer tells it in Go.

A peer is a class with make(tensors, elements), save(dir) and load(dir), and
first(), which yields the first element of every tensor that load gave. Where
there is such a thing it has save_async(dir, returned), which calls returned()
when the caller could go on, and small(dir, saves, keep).
"""

import json
import os
import shutil
import sys
import time
import traceback

import numpy


def values(tensors, elements):
    """Arrays of numbers that do not compress, always the same."""
    random = numpy.random.default_rng(1)
    return [random.random(elements, dtype=numpy.float32) for _ in range(tensors)]


class Peer:
    def hello(self, request):
        return {"version": self.version}

    def make_(self, request):
        made = values(request["tensors"], request["elements"])
        self.wanted = [float(v[0]) for v in made]
        self.make(made)

    def save_(self, request):
        self.save(request["dir"])

    def spoil_(self, request):
        self.spoil()

    def load_(self, request):
        self.load(request["dir"])

    def check_(self, request):
        if [float(v) for v in self.first()] != self.wanted:
            raise AssertionError("what was loaded is not what was saved")
        self.forget()

    def async_(self, request):
        if not hasattr(self, "save_async"):
            return {"unable": True}
        start, stall = time.perf_counter(), []
        self.save_async(request["dir"], lambda: stall.append(time.perf_counter() - start))
        return {"stall": stall[0]}

    def small_(self, request):
        self.small(request["dir"], request["saves"], request["keep"])

    def spoil(self):
        """Makes a peer that restores in place overwrite something else."""

    def forget(self):
        """Gives the memory of what load gave back, unless it is the program's."""
        self.loaded = None

    def small(self, dir, saves, keep):
        """For libraries that do not count: a directory each, the oldest removed."""
        for i in range(saves):
            made = os.path.join(dir, str(i))
            os.mkdir(made)
            self.save(made)
            if i >= keep:
                shutil.rmtree(os.path.join(dir, str(i - keep)))


def serve(peer_class):
    # Libraries print to standard output; the answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = peer_class()
    calls = {"hello": peer.hello, "make": peer.make_, "save": peer.save_, "spoil": peer.spoil_,
             "load": peer.load_, "check": peer.check_, "async": peer.async_, "small": peer.small_}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            call = calls.get(request["op"], lambda request: {"unable": True})
            answer = call(request) or {}
        except Exception as e:
            traceback.print_exc()
            answer = {"error": f"{type(e).__name__}: {e}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
