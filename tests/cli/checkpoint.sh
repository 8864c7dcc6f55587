#!/bin/sh
# Checkpoints of the reference: the guide as it is written, hostile files, files that do not belong together.
vectors=${UW_VECTORS:-$(cd "$(dirname "$0")/../vectors" && pwd)}
guide=$(cd "$(dirname "$0")/../.." && pwd)/docs/guide/bring-your-lewm.md
. "$(dirname "$0")/lib.sh"

good=$vectors/golden/checkpoints/good
[ -f "$good/plain_5x.pt" ] || { echo "skipped: $good has no plain_5x.pt"; exit 77; }
cp "$good/plain_5x.pt" weights.pt
cp "$good/config.json" config.json
chmod u+w weights.pt config.json
expect 0 convert "$vectors/data/pusht_lowdim.npz" data.h5
python3 - <<'P'
import json, struct, zlib
size = json.load(open("config.json"))["encoder"]["image_size"]
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for name, k in (("start.png", 7), ("goal.png", 11)):
    rows = b"".join(b"\0" + bytes((x * k + y * 3) % 256 for x in range(3 * size)) for y in range(size))
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) +
                           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
P

# The guide's commands, in order.
awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$guide" >guide.sh
[ "$(grep -c ^umwelt guide.sh)" -ge 5 ] || fail "the guide has lost its commands"
umwelt() { "$umwelt" "$@"; }
(set -e; . ./guide.sh) >guide.out 2>guide.err || { fail "the guide, as written"; cat guide.err; }
grep -q "^next: umwelt inspect model.safetensors" guide.out || fail "the guide's conversion"
grep -q "^planned in" guide.out || fail "the guide's plan"
[ -f swm/checkpoints/mine/weights.pt ] && [ -f swm/checkpoints/mine/config.json ] || fail "the guide's files"

# Out and in again, the same tensors; the model carries the mean and deviation that the dataset has.
expect 0 inspect model.safetensors --json
json 'd["format"]=="safetensors" and d["provenance"]["preset"]=="lewm" and len(d["tensors_sha256"])==64'
cp out first
expect 0 convert swm/checkpoints/mine/weights.pt again.safetensors --normalisers data.h5 --json
json 'd["from"]=="pt" and d["to"]=="safetensors" and d["tensors_sha256"]==json.load(open("first"))["tensors_sha256"]'
expect 0 inspect weights.pt --json
json 'd["format"]=="pt" and d["tensors"]==json.load(open("first"))["tensors"] and len(d["tensors_sha256"])==64'
python3 - "$vectors/data/pusht_lowdim.csv" <<'P' || fail "normalisers"
import csv, json, math, struct, sys
lines = [l for l in open(sys.argv[1]) if not l.startswith("#")]
rows = [[float(r[k]) for k in r if k.startswith("action")] for r in csv.DictReader(lines)
        if all(v not in ("", "nan") for k, v in r.items() if k.startswith("action"))]
raw = open("model.safetensors", "rb").read()
meta = json.loads(raw[8:8 + struct.unpack("<Q", raw[:8])[0]])["__metadata__"]
got = json.loads(meta["umwelt.normalisers"])
for i in range(len(rows[0])):
    mean = math.fsum(r[i] for r in rows) / len(rows)
    std = math.sqrt(math.fsum((r[i] - mean) ** 2 for r in rows) / len(rows))
    assert abs(got["action_mean"][i] - mean) < 1e-7 and abs(got["action_std"][i] - std) < 1e-7, (got, mean, std)
P
expect 1 convert weights.pt model.safetensors
expect 1 convert model.safetensors swm/checkpoints/mine/weights.pt
expect 0 convert model.safetensors swm/checkpoints/mine/weights.pt --layout transformers-5 --force
expect 2 convert model.safetensors new.pt --layout transformers5
says "did you mean transformers-5?"

# What does not belong together: exit 5, all of it named; what is unknown: exit 4 and the nearest.
before=$(ls)
expect 5 convert weights.pt new.safetensors --config "$good/config_full.json"
says "missing"
says "mis-shaped"
[ "$(grep -c '^  missing encoder.encoder.layer' err)" -ge 160 ] || fail "not all missing tensors are listed"
grep -q '^  encoder.embeddings.position_embeddings wanted F32' err || fail "a mis-shaped tensor is not listed"
expect 5 convert weights.pt new.safetensors --normalisers data.h5 --column state
expect 5 convert weights.pt new.safetensors --normalisers data.h5 --frameskip 2
expect 5 convert weights.pt new.safetensors --frameskip 7
says "frameskip"
expect 3 convert weights.pt new.safetensors --config nowhere.json
expect 3 convert weights.pt new.safetensors --normalisers nowhere.h5
expect 3 convert "$good/plain_5x.pt" new.safetensors --config nowhere.json
sed 's/"num_frames"/"num_frame"/' config.json >typo.json
expect 4 convert weights.pt new.safetensors --config typo.json
sed 's/"depth":/"dept": 1, "depth":/' config.json >typo.json
expect 4 convert weights.pt new.safetensors --config typo.json
says "did you mean predictor.depth?"
rm typo.json
expect 4 convert weights.pt new.bin
[ "$(ls)" = "$before" ] || fail "files changed: $before -> $(ls)"

# Hostile files: exit 4 with the recorded reason, whatever is asked, and nothing is run.
python3 -c 'import json,sys
for h in json.load(open(sys.argv[1]))["hostile"]: print(h["file"], h["reason"])' "$vectors/golden/checkpoints/manifest.json" >hostile
while read -r file reason; do
    [ -f "$vectors/golden/checkpoints/$file" ] || continue
    expect 4 convert "$vectors/golden/checkpoints/$file" new.safetensors --config config.json
    says "$reason"
    expect 4 inspect "$vectors/golden/checkpoints/$file"
    says "$reason"
done <hostile
[ "$(grep -c . hostile)" -ge 32 ] || fail "hostile files are missing"
[ -z "$(find . -name 'PWNED*' -o -name 'new.*')" ] || fail "a hostile file left something behind"
finish
