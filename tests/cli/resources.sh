#!/bin/sh
# A full disk and a place that cannot be written: exit 6, old files intact, no litter.
. "$(dirname "$0")/lib.sh"

expect 0 collect two_room --out good.uw --episodes 3 --steps 6
expect 0 train good.uw --out run --set batch=2 --set sigreg_directions=8 --steps 2
cp good.uw keep.uw
cp run/model.safetensors keep.safetensors

# /proc refuses new files even to root.
expect 6 collect two_room --out /proc/umwelt.uw --episodes 2 --steps 2
says "/proc/umwelt.uw"
expect 6 convert good.uw /proc/umwelt.npz
expect 6 train good.uw --out /proc/run --steps 2
expect 6 eval run/model.safetensors --episodes 2 --budget 5 --out /proc/t.csv

# A limit on the size of files stands for a full disk: the process goes on and reports it.
limited() { (ulimit -f 8 && exec "$umwelt" "$@") >out 2>err; }
limited collect two_room --out big.uw --episodes 50 --steps 50
[ $? = 6 ] || { fail "full disk in collect: wanted exit 6"; cat err; }
limited convert good.uw big.npz
[ $? = 6 ] || { fail "full disk in convert: wanted exit 6"; cat err; }
[ ! -e big.npz ] || fail "convert left a torn file"
limited train good.uw --out run --force --set batch=2 --set sigreg_directions=8 --steps 2
[ $? = 6 ] || { fail "full disk in train: wanted exit 6"; cat err; }
ls | grep -qE 'tmp|temp' && fail "temporary files left: $(ls)"
cmp good.uw keep.uw || fail "the dataset changed"
finish
