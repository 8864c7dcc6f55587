#!/bin/sh
# Every file a verb opens may be truncated, empty, of another kind, a folder: exit 4 or 5 with one line and its fix,
# nothing written, nothing lost.
. "$(dirname "$0")/lib.sh"

expect 0 collect two_room --out good.uw --episodes 3 --steps 6
expect 0 train good.uw --out run --set batch=2 --set sigreg_directions=8 --steps 2
cp run/model.safetensors good.safetensors
head -c 100 good.uw >short.uw
: >empty.uw
head -c 4000 good.safetensors >short.safetensors
printf '\377\377\377\377\377\377\377\377{"a":1}' >huge.safetensors
printf '\002\000\000\000\000\000\000\000{}' >nothing.safetensors
head -c 3000 /dev/urandom >noise.bin
printf 'a,b\n1,two\n' >words.csv
printf 'a,b\n1,2,3\n' >ragged.csv
printf 'PK\003\004garbage' >broken.npz
mkdir folder
cp good.uw flipped.uw
python3 - <<'P'
b = bytearray(open("good.uw", "rb").read())
b[len(b) // 2] ^= 0x40
open("flipped.uw", "wb").write(b)
P
before=$(ls | sort | tr '\n' ' ')

# refuse CODES ARGS...: one of the codes, an error line, and no new file.
refuse() {
    codes=$1
    shift
    "$umwelt" "$@" >out 2>err
    code=$?
    case " $codes " in *" $code "*) ;; *) fail "umwelt $*: exit $code, wanted one of $codes"; cat err ;; esac
    grep -q "^umwelt [a-z]*: " err || fail "umwelt $*: no error line"
}
for file in short.uw empty.uw noise.bin short.safetensors huge.safetensors nothing.safetensors broken.npz folder good.uw; do
    refuse "4 5" eval "$file" --episodes 6
    refuse "4 5" stress "$file" --episodes 2
    refuse "4 5" probe "$file" good.uw
    refuse "4 5" certify "$file" good.uw
    refuse "4 5" plan "$file" --obs noise.bin --goal noise.bin
done
for file in short.uw empty.uw noise.bin short.safetensors good.safetensors broken.npz words.csv folder; do
    refuse "4 5" train "$file" --out newrun
    refuse "4 5" probe good.safetensors "$file"
    refuse "4 5" certify good.safetensors "$file"
    refuse "4 5" convert "$file" new.uw
done
for file in empty.uw noise.bin short.safetensors huge.safetensors broken.npz words.csv ragged.csv; do
    refuse "4 5" inspect "$file"
done
refuse "4 5" plan good.safetensors --obs noise.bin --goal noise.bin
refuse "4 5" train good.uw --out newrun --config noise.bin
refuse "2 3 4 5" train good.uw --out newrun --set observe=stat
says "did you mean state?"
# A dataset whose middle is damaged is refused as a whole or read with the damage named; never silently.
"$umwelt" train flipped.uw --out newrun --preset two_room --set batch=2 --set sigreg_directions=8 --steps 20 >out 2>err
code=$?
[ "$code" = 4 ] || [ "$code" = 0 ] || fail "flipped bit: exit $code"
rm -rf newrun
after=$(ls | sort | tr '\n' ' ')
[ "$before" = "$after" ] || fail "files changed: $before -> $after"
"$umwelt" inspect good.uw --json >out 2>err || fail "the good file no longer opens"
finish
