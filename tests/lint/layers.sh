#!/bin/sh
# Arrows go down only: which public headers a layer may see, and what nobody may reach around.
# (Internal headers of a higher layer do not compile: see cmake/modules.cmake.)
set -u
cd "$1" || exit 1
bad=0
forbid() { # forbid FOLDER PATTERN WHY
    found=$(grep -nE "^ *# *include *[<\"]($2)" -r "$1" --include='*.c' --include='*.h') && {
        echo "$found"; echo "  forbidden in $1: $3"; bad=1; }
}
forbid src/kernels 'umwelt/(dataset|env|model|planner|controller|train|eval|probe|report|tensor|status)\.h' "kernels know pointers and sizes only"
forbid src/env 'umwelt/(dataset|model|planner|controller|train|eval|probe|report)\.h' "worlds never see models"
forbid src/data 'umwelt/(env|model|planner|controller|train|eval|probe|report)\.h' "data never sees models"
forbid src/io 'umwelt/(dataset|env|model|planner|controller|train|eval|probe)\.h' "files know no meaning"
forbid src/plan 'umwelt/(dataset|env|model|train|eval|probe|report)\.h' "planners see uw_dynamics only"
forbid src/model 'umwelt/(dataset|env|train|eval|probe|report)\.h' "a model knows no data"
forbid src/train 'umwelt/(eval|probe|report)\.h' "training knows no answers"
forbid src '\.\./' "reach a layer through its include path"
forbid cli '(pool|rng|kernels|exec|net|fileio|internal|safetensors|json)\.h' "the command sees public headers only"
forbid examples '(pool|rng|kernels|exec|net|fileio|internal)\.h' "examples see public headers only"
# Only io (and data, through io) opens files; only the command prints.
found=$(grep -nE '\b(fopen|open|openat|creat)\(' -r src --include='*.c' | grep -vE '^src/(io|data)/|^src/base/') && {
    echo "$found"; echo "  only io opens files"; bad=1; }
found=$(grep -nE '(^|[^a-z_])(printf|puts|putchar)\(' -r src --include='*.c') && {
    echo "$found"; echo "  only the command prints"; bad=1; }
exit $bad
