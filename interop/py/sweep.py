"""Compares the ckpt command with TensorFlow over every checkpoint below some directories.

    go build -o /tmp/ckpt ./cmd/ckpt
    $(interop/venv.sh) interop/py/sweep.py /tmp/ckpt DIR...

For each it runs `ckpt verify` and `ckpt show --json`, then `ckpt cat` of each
tensor, and compares names, dtypes, shapes and bits with what TensorFlow reads.
A checkpoint TensorFlow cannot read is named with TensorFlow's reason. Exits 1
if anything differs.
"""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tensorflow as tf

import values

TABLE_MAGIC = bytes.fromhex("57fb808b247547db")


def checkpoints(root, apart):
    """The prefix of each V2 and V1 checkpoint below a directory.

    Where a V1 file has the name of a V2 checkpoint, both programs take the
    latter; the former is copied to the directory apart.
    """
    found = set()
    for path in sorted(pathlib.Path(root).rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".index":
            found.add(str(path)[: -len(".index")])
        elif path.read_bytes()[-8:] == TABLE_MAGIC:
            if path.with_name(path.name + ".index").exists():
                path = pathlib.Path(shutil.copy(path, tempfile.mkdtemp(dir=apart)))
            found.add(re.sub(r"-\d{5}-of-\d{5}$", "", str(path)))
    return sorted(found)


def run(ckpt, *args):
    done = subprocess.run([ckpt, *args], capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"ckpt {' '.join(args)}: exit {done.returncode}: {done.stderr.decode().strip()}")
    return done.stdout


def strings(value):
    """The bytes of each element of what cat --format json prints of strings."""
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    if isinstance(value, dict):
        return [base64.b64decode(value["base64"])]
    return [value.encode()]


def ours(ckpt, prefix):
    """Every tensor as the command shows it, in the form of values.read_all."""
    out = []
    for t in json.loads(run(ckpt, "show", "--json", prefix))["tensors"]:
        value = {"name": t["name"], "dtype": t["dtype"], "shape": t["shape"]}
        if t["dtype"] == "string":
            text = run(ckpt, "cat", prefix, t["name"], "--format", "json")
            value["strings"] = [s.hex() for s in strings(json.loads(text)["value"])]
        elif t["dtype"] != "variant":
            value["value"] = run(ckpt, "cat", prefix, t["name"], "--format", "raw").hex()
        out.append(value)
    return out


def compare(ckpt, prefix):
    """What differs, as a list of sentences, and how many tensors were compared."""
    run(ckpt, "verify", prefix)
    have = ours(ckpt, prefix)
    try:
        want = values.read_all(prefix)
    except (tf.errors.OpError, ValueError, RuntimeError) as e:
        return [], f"verified, tensors: {len(have)}; TensorFlow cannot read it: {str(e).splitlines()[0][:120]}"
    problems = [f"{a} is not {b}" for a, b in zip([t["name"] for t in have], [t["name"] for t in want]) if a != b]
    if len(have) != len(want):
        problems.append(f"{len(have)} tensors, TensorFlow has {len(want)}")
    problems += [f"{a['name']} differs" for a, b in zip(have, want) if a != b]
    return problems, f"equal, tensors: {len(have)}"


def main(ckpt, *roots):
    failed = 0
    with tempfile.TemporaryDirectory() as apart:
        for prefix in [p for root in roots for p in checkpoints(root, apart)]:
            try:
                problems, said = compare(ckpt, prefix)
            except ValueError as e:
                problems, said = [str(e)], ""
            failed += bool(problems)
            print(prefix, "|", "; ".join(problems) or said, flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
