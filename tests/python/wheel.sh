#!/bin/sh
# `pip install ./python` from a clone: the wheel builds, brings its library, and works outside of the tree.
set -eu
source=$1 python=${UW_PYTHON_PEERS:-python3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$python" -c 'import cffi, numpy' 2>/dev/null || { echo "skipped: $python has no cffi or numpy"; exit 77; }
"$python" -m pip --version >/dev/null 2>&1 || { echo "skipped: $python has no pip"; exit 77; }
"$python" -m pip download -q --no-deps -d "$dir" 'scikit-build-core>=0.10' >/dev/null 2>&1 ||
    { echo "skipped: the build backend cannot be fetched here (no network?)"; exit 77; }

"$python" -m pip install -q --root-user-action ignore --no-deps --target "$dir/site" "$source/python"
cd "$dir"
PYTHONPATH="$dir/site" "$python" - <<'P'
import pathlib, umwelt
here = pathlib.Path(umwelt.__file__).parent
assert sorted(p.name for p in here.iterdir() if p.suffix in (".so", ".h", ".typed")) == ["abi.h", "libumwelt.so", "py.typed"], list(here.iterdir())
assert umwelt.Context(threads=1).threads == 1
print("umwelt", umwelt.__version__, "from", here)
P
[ -d "$dir/site/umwelt-$(sed -n 's/^project(umwelt VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt").dist-info" ] ||
    { echo "the wheel's version is not the project's"; ls "$dir/site"; exit 1; }
