# Sourced by every script: a scratch folder, and checks that say what they saw.
umwelt=$1
command -v python3 >/dev/null 2>&1 || { echo "python3 is missing: JSON cannot be read"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failures=0

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }

# expect CODE ARGS...: run umwelt ARGS, keep stdout in out, stderr in err, check the exit code.
expect() {
    want=$1
    shift
    "$umwelt" "$@" >out 2>err
    code=$?
    [ "$code" = "$want" ] || { fail "umwelt $*: exit $code, wanted $want"; head -n 5 err; }
}
# One error line "umwelt ...: ...", and the text in it.
says() { grep -qF -e "$1" err || { fail "stderr lacks: $1"; cat err; }; }
prints() { grep -qF -e "$1" out || { fail "stdout lacks: $1"; head -n 20 out; }; }
# json EXPRESSION: a Python expression over d, the object on stdout, must hold.
json() {
    python3 -c 'import json,sys,math
d=json.load(open("out"))
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" 2>pyerr || { fail "json: $1"; cat pyerr; head -c 600 out; echo; }
}
finish() { [ "$failures" = 0 ] && echo "ok" && exit 0; echo "$failures failed"; exit 1; }
