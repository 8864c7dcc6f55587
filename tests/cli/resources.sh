#!/bin/sh
# A full disk and a place that cannot be written: exit 6, old files intact, no litter.
. "$(dirname "$0")/lib.sh"

expect 0 collect two_room --out good.uw --episodes 3 --steps 6
expect 0 train good.uw --out run --set batch=2 --set sigreg_directions=8 --steps 2
cp good.uw keep.uw
cp run/model.safetensors keep.safetensors

# A folder that may be read but not written: as root, seen by somebody else.
chmod 755 "$dir"
mkdir locked
cp "$umwelt" ./umwelt
chmod 755 umwelt
as_nobody=""
if [ "$(id -u)" = 0 ]; then
    command -v setpriv >/dev/null 2>&1 && as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
    [ -n "$as_nobody" ] || echo "note: setpriv is missing, the read-only folder is not tried"
fi
chmod 555 locked
if [ "$(id -u)" != 0 ] || [ -n "$as_nobody" ]; then
    # refused ARGS...: exit 6, the place named, nothing there.
    refused() {
        $as_nobody ./umwelt "$@" >out 2>err
        code=$?
        [ "$code" = 6 ] || { fail "umwelt $*: exit $code, wanted 6"; cat err; }
        says "locked/"
    }
    refused collect two_room --out locked/a.uw --episodes 2 --steps 2
    refused convert good.uw locked/a.npz
    refused train good.uw --out locked/run --steps 2
    refused eval run/model.safetensors --episodes 6 --budget 5 --out locked/t.csv
    [ -z "$(ls -A locked)" ] || fail "left in the read-only folder: $(ls -A locked)"
fi

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
