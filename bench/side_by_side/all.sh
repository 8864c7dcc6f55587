#!/bin/sh
# Every comparison of docs/speed.md, one after the other; nothing else may run meanwhile (about an hour on two cores).
# Usage: sh all.sh [RECORD.json]     inside the peers' environment (setup.sh); then: umwelt bench --peers RECORD.json
set -u
cd "$(dirname "$0")"
record=${1:-peers.json}
umwelt=${UMWELT:-../../build/release/umwelt}
for what in encode plan train; do
    python lewm.py $what --umwelt "$umwelt" --record "$record"
done
python gemm.py --umwelt "$umwelt" --record "$record"
if "$umwelt" doctor | grep -Eq 'amx|avx512bf16'; then
    python lewm.py encode --precision bf16 --umwelt "$umwelt" --record "$record"
    python lewm.py plan --precision bf16 --umwelt "$umwelt" --record "$record"
    python lewm.py train --precision bf16 --umwelt "$umwelt" --record "$record"
    python gemm.py --precision bf16 --umwelt "$umwelt" --record "$record"
fi
python train.py --umwelt "$umwelt" --record "$record"
python world.py --umwelt "$umwelt"
python loader.py --umwelt "$umwelt" --record "$record"
python startup.py --umwelt "$umwelt" --record "$record"
