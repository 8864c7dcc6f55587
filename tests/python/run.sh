#!/bin/sh
# CTest's way into run.py: the interpreter is UW_PYTHON_PEERS, or python3.
python=${UW_PYTHON_PEERS:-python3}
command -v "$python" >/dev/null 2>&1 || { echo "skipped: no $python"; exit 77; }
exec "$python" "$@"
