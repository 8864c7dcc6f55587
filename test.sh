#!/bin/sh
# From a bare Debian 12 to a passed test suite: install what is missing, build, run everything under CTest.
# Arguments go to ctest: ./test.sh -L parity
set -eu
cd "$(dirname "$0")"
. scripts/packages.sh
need_packages $umwelt_build_packages $umwelt_test_packages

cmake --preset release -DUW_BUILD_TESTS=ON
cmake --build build/release
exec ctest --test-dir build/release --output-on-failure --no-tests=error -j "$(nproc)" "$@"
