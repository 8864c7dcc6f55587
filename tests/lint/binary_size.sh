#!/bin/sh
# The command and the library, stripped, fit 5 MB together.  Sanitizers and debug builds are not what users get.
set -u
limit=5000000
library=$2
command=$4
nm -D "$library" | grep -qE '__(asan|tsan|ubsan|msan)_|__gcov' && exit 77
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
total=0
for file in "$library" "$command"; do
    strip -o "$work/stripped" "$file" || exit 1
    bytes=$(wc -c <"$work/stripped")
    echo "$(basename "$file"): $bytes bytes stripped"
    total=$((total + bytes))
done
echo "together: $total of $limit"
[ "$total" -le "$limit" ]
