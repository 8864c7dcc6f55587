#!/bin/sh
# Install into a scratch prefix, then build and run a stranger's program against it, twice: CMake and pkg-config.
set -eu
build=$1 source=$2 cc=$3 cmake=$4 generator=$5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$cmake" --install "$build" --prefix "$dir/prefix" >/dev/null
lib=$(dirname "$(find "$dir/prefix" -name libumwelt.so)")

mkdir "$dir/outside"
cp "$source/tests/install/outside.c" "$dir/outside/main.c"
cat >"$dir/outside/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C)
find_package(umwelt 0.1 REQUIRED)
add_executable(outside main.c)
target_link_libraries(outside PRIVATE umwelt::umwelt)
C
"$cmake" -G "$generator" -S "$dir/outside" -B "$dir/b" -DCMAKE_PREFIX_PATH="$dir/prefix" -DCMAKE_C_COMPILER="$cc" >/dev/null
"$cmake" --build "$dir/b" >/dev/null
"$dir/b/outside"

PKG_CONFIG_PATH="$lib/pkgconfig"
export PKG_CONFIG_PATH
command -v pkg-config >/dev/null 2>&1 || exit 77
# shellcheck disable=SC2046
"$cc" -std=c17 "$dir/outside/main.c" $(pkg-config --cflags --libs umwelt) -o "$dir/plain"
LD_LIBRARY_PATH="$lib" "$dir/plain"
"$cc" -std=c17 "$source/examples/01_controller.c" $(pkg-config --cflags --libs umwelt) -o "$dir/controller"

# What an installation is expected to hold.
for file in bin/umwelt share/man/man1/umwelt.1 share/bash-completion/completions/umwelt include/umwelt/umwelt.h; do
    [ -s "$dir/prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
LD_LIBRARY_PATH="$lib" "$dir/prefix/bin/umwelt" --version
