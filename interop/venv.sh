#!/bin/sh
# Makes the pinned Python environment of the interoperability tests, once per
# machine, and prints the path of its interpreter on standard output.
#
#   interop/venv.sh            the interpreter, after installing if need be
#   interop/venv.sh FILE       that of another list of packages, as bench has
#   PYTHON=python3.12 interop/venv.sh
#
# One environment serves both Keras 3 and tf-keras: a process that needs
# tf.keras to be Keras 2 sets TF_USE_LEGACY_KERAS=1 and is otherwise the same.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
requirements=${1:-$here/requirements.txt}

# find_python prints an interpreter the pinned wheels exist for. Plain python3
# comes last: what it means differs from machine to machine.
find_python() {
	for p in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
		if "$p" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
			echo "$p"
			return
		fi
	done
	echo "interop/venv.sh: no Python 3.11 to 3.13 with the venv module found (set PYTHON)" >&2
	exit 1
}

python=$(find_python)
cache=${CKPT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ckpt-dev}
# The interpreter is part of the name: a venv refers to the one that made it.
id=$({ cat "$requirements"; "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; } | sha256sum | cut -c1-16)
venv=$cache/venv-$id

# The marker is written last, so an interrupted install is never taken for a
# whole one. (A venv cannot be built elsewhere and renamed: its scripts name
# its path.)
if [ ! -e "$venv/.complete" ]; then
	mkdir -p "$cache"
	exec 9>"$venv.lock"
	# Of two concurrent runs the second waits here and then finds the marker.
	flock 9
	if [ ! -e "$venv/.complete" ]; then
		echo "interop/venv.sh: installing $(grep -c == "$requirements") packages into $venv (minutes, once)" >&2
		rm -rf "$venv"
		"$python" -m venv "$venv" >&2
		# --no-deps: the list is complete, and tf-keras asks for a
		# distribution called tensorflow where we have tensorflow-cpu.
		# The lock's descriptor is closed for children, or one left
		# behind would hold the lock.
		"$venv/bin/python" -m pip --disable-pip-version-check install --quiet --progress-bar off \
			--no-input --only-binary :all: --no-deps -r "$requirements" >&2 9>&-
		: >"$venv/.complete"
		echo "interop/venv.sh: ready" >&2
	fi
	flock -u 9
fi
echo "$venv/bin/python"
