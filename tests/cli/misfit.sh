#!/bin/sh
# A model, a recording and a world that do not fit each other: exit 5, naming both; words that nobody knows: exit 2 or
# 3 and the nearest, or all that there are.
. "$(dirname "$0")/lib.sh"

python3 - <<'P'
import math
with open("three.csv", "w") as f:
    f.write("episode,state[0],state[1],action[0],action[1],action[2]\n")
    for e in range(6):
        for t in range(12):
            f.write(f"{e},{math.sin(e + t)},{math.cos(e * t)},{math.sin(t)},{math.cos(t)},0.5\n")
P
small="--set batch=2 --set sigreg_directions=8 --steps 2"
expect 0 convert three.csv three.uw
expect 0 train three.uw --out wide --preset sensors --set observe=state $small
expect 0 collect two_room --out d.uw --episodes 4 --steps 8 --size 32
expect 0 collect two_room --out big.uw --episodes 4 --steps 8 --size 48
expect 0 collect two_room --out bare.uw --episodes 4 --steps 8 --size 0
expect 0 train d.uw --out run --set image_size=32 $small
model=run/model.safetensors

# action width
for verb in eval stress; do
    expect 5 $verb wide/model.safetensors --env two_room --episodes 6
    says "acts with 3 numbers, wanted the 2 of two_room"
done
# columns of the recording that a solver learns from
for solver in landmark inverse; do
    expect 5 eval $model --episodes 6 --solver $solver --data bare.uw
    says "pixels: wanted this column"
done
# pictures of other sizes, of a recording and of a file: the middle square, resized
expect 0 probe $model big.uw --json
expect 0 train big.uw --out fitted --set image_size=32 $small
expect 0 probe fitted/model.safetensors big.uw --json
expect 0 train big.uw --out whole $small
expect 0 train big.uw --out whole --set image_size=48 --resume $small # the recorded size by its number
expect 5 train big.uw --out fitted --set image_size=16 --resume $small
says "image_size differs from the run, wanted 32, got 16"
python3 - <<'P'
import struct, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for size, width in ((32, 32), (48, 80)):
    raw = b"".join(b"\0" + bytes([200, 200, 200]) * width for _ in range(size))
    open(f"p{size}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, size, 8, 2, 0, 0, 0))
                                     + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
P
expect 0 plan $model --obs p48.png --goal p32.png --json
json "d['distance_now'] == 0" # one colour stays itself
# a plan by search, by a map and by a policy
for solver in cem landmark inverse; do
    data="--data d.uw"
    [ $solver = cem ] && data=
    [ $solver = inverse ] && data="$data --policy-steps 30"
    expect 0 plan $model --obs p32.png --goal p32.png --solver $solver --horizon 3 $data --json
    json "len(d['actions']) == 3 and len(d['distance']) == 3"
done
expect 2 plan $model --obs p32.png --goal p32.png --solver inverse
says "wanted --data or --policy"
if "$umwelt" collect pusht --out p.uw --episodes 4 --steps 8 --size 0 >out 2>err; then
    # columns: a state of seven numbers in a world of two
    expect 0 train p.uw --out seven --preset sensors --set observe=state $small
    expect 5 eval seven/model.safetensors --env two_room --episodes 6
    says "sees columns state (7 numbers), wanted pixels or the state (2) of two_room"
    # a smaller model than the recording
    expect 0 collect pusht --out p96.uw --episodes 6 --steps 60 --size 96
    expect 0 train p96.uw --out p64 --preset pusht --set predictor_steps=0 --set batch=4 --set extra_frames=8 \
        --set image_size=64 --steps 2
    expect 0 probe p64/model.safetensors p96.uw
fi

# words
expect 2 eval $model --protocol moderately
says "there is: random-goal released clear-moderate clear-strict"
expect 2 eval $model --solver xyzzy
says "there is: cem icem mppi predictive gradient pgd categorical lagrangian landmark inverse"
expect 2 stress $model --solver invers --data d.uw
says "did you mean inverse?"
expect 3 eval $model --episodes 6 --against icm
says "did you mean icem?"
expect 3 eval $model --episodes 6 --against xyzzy
says "landmark inverse"
expect 2 eval $model --objective sun
says "did you mean sum?"
expect 2 eval $model --objective xyzzy
says "there is: sum last min"
expect 2 eval $model --variation agent.colr~sample
says "did you mean agent.color?"
expect 2 eval $model --variation xyzzy~sample
says "umwelt inspect two_room lists"
expect 2 stress $model --factors agent.colr
says "did you mean agent.color?"
expect 2 stress $model --factors xyzzy
says "umwelt inspect two_room lists"
finish
