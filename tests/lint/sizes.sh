#!/bin/sh
# A file over 900 lines explains itself or is split; over 1500 it is refused.
set -u
cd "$1" || exit 1
bad=0
for file in $(find include src cli bench examples tests -name '*.c' -o -name '*.h' | grep -v '/vectors/'); do
    lines=$(wc -l <"$file")
    [ "$lines" -gt 900 ] && { echo "$file: $lines lines"; bad=1; }
done
limit=$(du -sm tests/vectors | cut -f1)
[ "$limit" -gt 20 ] && { echo "tests/vectors: $limit MB, at most 20"; bad=1; }
exit $bad
