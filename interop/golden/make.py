"""Writes the golden files that TensorFlow itself makes: `make golden`.

    python interop/golden/make.py [--root DIR]

Run with the interpreter that interop/venv.sh prints. Running it twice gives
the same bytes; README.md beside it says what each file is for.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Different processors may choose different kernels, which round differently.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "py"))

import bundles
import graphs_golden
import states
import v1files
from store import Store


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.path.normpath(os.path.join(HERE, os.pardir, os.pardir)))
    root = parser.parse_args().root
    bundles.make(Store(root, "format/tensorbundle"))
    v1files.make(Store(root, "format/tensorslice"))
    checkpoint = Store(root, "checkpoint")
    graphs_golden.make(Store(root, "trackable"), checkpoint)
    states.make(checkpoint)


if __name__ == "__main__":
    main()
