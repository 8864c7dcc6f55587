#!/bin/sh
# The library never ends the process and never prints: no such import in the shared object.
set -u
lib=$2
command -v nm >/dev/null 2>&1 || exit 77
found=$(nm -D --undefined-only "$lib" | grep -E ' (exit|_exit|abort|printf|puts|putchar|perror|fprintf|vfprintf|stdout|stderr)(@|$)')
# Sanitizers and debug assertions bring abort and stderr with them.
nm -D "$lib" | grep -qE '__(asan|tsan|ubsan|msan)_' && exit 77
[ -z "$found" ] && exit 0
echo "$found"
exit 1
