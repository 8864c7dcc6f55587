#!/bin/sh
# Datasets in and out: what is malformed leaves with its exit code and nothing behind, what is stopped goes on.
bad=$(cd "$(dirname "$0")/../vectors/data/malformed" && pwd)
. "$(dirname "$0")/lib.sh"

for file in "$bad"/*.h5; do
    name=$(basename "$file")
    case $name in
    ok.h5) want=0 ;;
    wrong_dtype.h5 | pixel_rank.h5) want=5 ;;
    *) want=4 ;;
    esac
    expect $want convert "$file" out.uw --json
    [ $want = 0 ] || [ "$(ls -A)" = "$(printf 'err\nout')" ] || fail "$name left something: $(ls -A)"
    rm -f out.uw
done
expect 4 convert "$bad/external_link.h5" out.uw
says "pixels is an external link (refused: points outside the file)"
expect 4 inspect "$bad/truncated.h5"
says "truncated"
expect 0 inspect "$bad/ok.h5" --json
json "d['format']=='hdf5' and d['episodes']==3 and d['frames']==19 and len(d['columns'])==5"
json "[c['nan'] for c in d['columns'] if c['name']=='action']==[6]"

expect 0 collect two_room --out a.uw --episodes 60 --steps 20
if "$umwelt" convert a.uw probe.h5 >out 2>err; then
    kinds="uw h5"
    expect 0 convert probe.h5 b.uw
    mv b.uw a.uw # HDF5 sorts columns by name: from here on nothing changes
    expect 0 convert a.uw probe.h5 --force
    expect 0 convert probe.h5 probe.uw
    cmp a.uw probe.uw || fail "a dataset that went through HDF5 has other bytes"
    expect 0 inspect probe.h5
    prints "pixels"
    # read in place, it trains to the same numbers
    expect 0 train probe.uw --preset two_room --steps 2 --set batch=4 --out from_uw --json
    mv out uw.json
    expect 0 train probe.h5 --preset two_room --steps 2 --set batch=4 --out from_h5 --json
    json "d['tensors_sha256']==json.load(open('uw.json'))['tensors_sha256']"
else
    says "does not write"
    kinds="uw"
fi
if "$umwelt" convert a.uw folder --to folder >out 2>err; then
    expect 0 inspect folder --json
    json "d['format']=='folder' and d['episodes']==60"
    expect 0 convert folder folder.uw
    expect 0 convert folder.uw folder2 --to folder
    diff -r folder folder2 >out || { fail "a folder that went through a dataset differs"; head -n 3 out; }
fi

# Ctrl-C and SIGTERM leave OUT.partial; the command printed goes on to the same bytes.
for kind in $kinds; do
    expect 0 convert a.uw whole.$kind
    for signal in INT TERM; do
        rm -f part.$kind
        "$umwelt" convert a.uw part.$kind >out 2>err &
        pid=$!
        for try in $(seq 500); do # not before it has begun: a slow start has no handler yet
            [ -e part.$kind.partial ] || ! kill -0 $pid 2>/dev/null && break
            sleep 0.02
        done
        kill -$signal $pid 2>/dev/null
        wait $pid
        code=$?
        if [ $code != 0 ]; then
            [ $signal = INT ] && want=130 || want=143
            [ $code = $want ] || fail "SIG$signal: exit $code, wanted $want"
            says "umwelt convert a.uw part.$kind --resume"
            [ -e part.$kind ] && fail "an unfinished part.$kind under its whole name"
            expect 0 convert a.uw part.$kind --resume
        fi
        [ -e part.$kind.partial ] && fail "part.$kind.partial is still there"
        expect 0 convert part.$kind back.uw --force
        cmp a.uw back.uw || fail "SIG$signal: a continued .$kind differs"
    done
done
finish
