#!/bin/sh
# From a bare Debian 12 to the demo: install what is missing, build a release, run `umwelt demo`.
# Arguments go to the demo: ./demo.sh --compare
set -eu
cd "$(dirname "$0")"
. scripts/packages.sh
need_packages $umwelt_build_packages

# The tests need more packages than the demo: leave them out unless an earlier build has them.
without_tests=-DUW_BUILD_TESTS=OFF
[ -f build/release/CMakeCache.txt ] && without_tests=
{ cmake --preset release $without_tests && cmake --build build/release --target umwelt; } >build-demo.log 2>&1 ||
    { tail -n 40 build-demo.log >&2; echo "umwelt: the build failed; the whole log is in build-demo.log" >&2; exit 1; }
rm -f build-demo.log
exec build/release/umwelt demo "$@"
