"""Where golden files go, and how their JSON looks."""

import gzip
import json
import os
import shutil
import tempfile


class Store:
    """One testdata/tf directory; starts empty, so that nothing stale survives."""

    def __init__(self, root, path):
        self.dir = os.path.join(root, path, "testdata", "tf")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)

    def path(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def json(self, name, value):
        """Writes JSON with one tensor or object a line, so that differences can be read."""
        with open(self.path(name), "w") as f:
            f.write(dumps(value))

    def gzip(self, name):
        """Replaces a large file by its compressed form."""
        with open(self.path(name), "rb") as f:
            data = f.read()
        with open(self.path(name) + ".gz", "wb") as f:
            with gzip.GzipFile("", "wb", 9, f, mtime=0) as z:  # no name, no time
                z.write(data)
        os.remove(self.path(name))


def dumps(value):
    lines = []
    for key, v in value.items():
        if isinstance(v, list) and v and isinstance(v[0], (dict, list)):
            items = ",\n".join("    " + json.dumps(x) for x in v)
            lines.append(f"  {json.dumps(key)}: [\n{items}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(v)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


class Scratch:
    """A temporary directory."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp()
        return self.dir

    def __exit__(self, *_):
        shutil.rmtree(self.dir)
