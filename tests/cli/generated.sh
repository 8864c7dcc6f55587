#!/bin/sh
# Man page and completions: made from the verbs' tables, and well-formed.
. "$(dirname "$0")/lib.sh"

expect 0 help --man
for verb in demo collect inspect convert train eval stress plan probe certify surprise report bench doctor; do prints "SH umwelt $verb"; done
if command -v mandoc >/dev/null 2>&1; then
    mandoc -Tlint -Werror out >lint 2>&1 || { fail "man page"; head lint; }
fi
cp out page
[ -z "${UW_GENERATED:-}" ] || [ ! -f "$UW_GENERATED/umwelt.1" ] || cmp page "$UW_GENERATED/umwelt.1" || fail "installed man page differs"
expect 0 completion bash
bash -n out || fail "bash completion does not parse"
cp out umwelt.bash
[ "$(bash -c '. ./umwelt.bash; COMP_WORDS=(umwelt col); COMP_CWORD=1; _umwelt; echo "${COMPREPLY[0]}"')" = collect ] || fail "completion of col"
expect 0 completion zsh
prints "#compdef umwelt"
expect 0 completion fish
prints "complete -c umwelt"
expect 2 completion csh
finish
