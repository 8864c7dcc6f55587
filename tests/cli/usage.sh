#!/bin/sh
# Usage: help, version, "did you mean", and errors that say what, where and how to mend it.
. "$(dirname "$0")/lib.sh"

expect 2
says "umwelt demo"
expect 0 --help
prints "collect"
expect 0 --version
prints "umwelt 0."
expect 0 --version --json
json 'd["umwelt"].count(".")==2'
for verb in demo collect inspect convert train eval stress plan probe certify surprise report bench doctor; do
    expect 0 "$verb" --help
    prints "Examples:"
    prints "--json"
    expect 0 help "$verb"
    prints "Usage: umwelt $verb"
done
expect 0 train --help keys
for key in observe action latent_dim encoder predictor history_size frameskip window batch steps lr weight_decay \
    warmup_steps clip_norm sigreg_weight sigreg_directions rollout_weight inverse_weight vicreg_weight augment precision \
    encoder_chunk shuffle_epochs stop_epoch schedule_epochs; do
    prints "$key"
done

expect 2 colect
says "did you mean collect?"
expect 2 collect two_room --episode 3
says "did you mean --episodes?"
expect 2 collect two_rom --out a.uw
says "did you mean two_room?"
expect 2 collect two_room --out a.uw --policy randm
says "did you mean random?"
expect 2 collect two_room --out a.uw --variation agent.colour=1,2,3
says "did you mean agent.color?"
expect 2 collect two_room --out a.uw --variation agent.radius=99
says "14"
expect 2 train a.uw --preset lewm --stop-epoch 0
says "wanted a whole number from 1"
expect 2 collect two_room --out a.uw --episodes 0
says "wanted a whole number from 1"
expect 2 collect two_room --out a.uw --episodes 3x
expect 2 collect two_room
says "--out"
expect 2 collect
expect 2 collect two_room more --out a.uw
expect 2 collect two_room --out
expect 2 collect two_room --seed -3 --out a.uw
expect 2 doctor --threads 9999
expect 2 doctor --max-isa avx3
expect 2 doctor --precision fp8
expect 2 train nothing.uw --preset two_rom
says "did you mean two_room?"
expect 2 train nothing.uw --set latentdim=3
says "did you mean latent_dim?"
expect 2 train nothing.uw --set latent_dim=-3
expect 2 train nothing.uw --set latent_dim
expect 3 train nothing.uw
says "nothing.uw"
expect 3 inspect nothing.uw
expect 3 eval nothing.safetensors
expect 3 inspect nothing.uw --json
json 'd["error"]["code"]==3 and "nothing.uw" in d["error"]["object"] and d["error"]["what"]'
expect 2 colect --json
json 'd["error"]["code"]==2 and "collect" in d["error"]["fix"]'
[ -z "$(ls | grep -vE '^(out|err|pyerr)$')" ] || fail "a usage error left files: $(ls)"
expect 0 doctor --json
json 'd["verb"]=="doctor" and d["cpu"] and d["kernels"]["gemm"] and d["libraries"] is not None and d["advice"] and d["isa"] and d["threads"]>=1 and d["seconds"]>=0 and d["seed"]==0'
expect 0 inspect two_room --json
json 'len([f for f in d["factors"] if not f["ours"]])==18 and len([f for f in d["factors"] if f["ours"]])==10'
json '[f["rule"] for f in d["factors"] if f["name"]=="door.size"][0] and d["state"]==["agent.x","agent.y"]'
expect 0 inspect two_room
grep -Eq "^  wall.axis +int +0 .. 1 +vertical +- +motion, picture: horizontal, vertical$" out || fail "the table of factors"
expect 2 collect two_room --out x.uw --variation agent.radius=15
grep -q "agent.radius: out of range, wanted 7 .. 14, got 15" err || fail "no range"
expect 2 collect two_room --out x.uw --variation agent.radius=14
grep -q "no door fits the agent" err || fail "no constraint"
expect 2 collect two_room --out x.uw --variation wall.axis=vertica
grep -q "did you mean vertical" err || fail "no likely word"
if "$umwelt" inspect pusht --json >out 2>err; then # a build with Chipmunk
    json 'len([f for f in d["factors"] if not f["ours"]])==17 and len(d["state"])==7'
    json '[f["words"] for f in d["factors"] if f["name"]=="block.shape"][0][1]=="T"'
    expect 2 collect pusht --out x.uw --variation block.shape=small_te
    grep -q "did you mean small_tee" err || fail "no likely shape"
fi
[ ! -e x.uw ] || fail "a refused variation left a file"
finish
