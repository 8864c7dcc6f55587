#!/bin/sh
# Every header compiles alone; the public ones also as C++ where a compiler is at hand.
set -u
cd "$1" || exit 1
cc=$3
bad=0
includes="-Iinclude"
for dir in src/*/; do includes="$includes -I$dir"; done
for header in include/umwelt/*.h src/*/*.h; do
    echo "#include \"$header\"" |
        $cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only $includes -I. -xc - || { echo "not alone: $header"; bad=1; }
done
if command -v c++ >/dev/null 2>&1; then
    echo '#include <umwelt/umwelt.h>' | c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -Iinclude -xc++ - || bad=1
fi
exit $bad
