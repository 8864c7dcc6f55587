#!/bin/sh
# The loop at toy size through every verb; keys of the JSON as the contract fixes them; same seed, same bits.
. "$(dirname "$0")/lib.sh"
tiny="--set batch=8 --set sigreg_directions=16 --set steps=12"

expect 0 collect two_room --out a.uw --episodes 12 --steps 12 --seed 4 --json
json 'd["episodes"]==12 and d["frames"]==12*13 and d["bytes"]>0 and d["frames_per_s"]>0 and d["verb"]=="collect" and d["seed"]==4'
expect 0 collect two_room --out b.uw --episodes 12 --steps 12 --seed 4 --threads 1
cmp a.uw b.uw || fail "datasets differ between thread counts"
expect 1 collect two_room --out a.uw --episodes 2
says "--force"
cmp a.uw b.uw || fail "refused, but changed"
expect 0 collect two_room --out b.uw --episodes 2 --steps 3 --force

expect 0 inspect a.uw --json --preview sheet.png
json 'd["format"] and d["episodes"]==12 and d["frames"]==156'
json '{"name","dtype","shape","unit","min","max","mean","std","nan"} <= set(d["columns"][0])'
json '{"pixels","action","state"} <= {c["name"] for c in d["columns"]}'
[ -s sheet.png ] || fail "no preview"

expect 0 train a.uw --out run $tiny --seed 3 --json
json 'd["steps"]==12 and len(d["tensors_sha256"])==64 and d["model"]=="run/model.safetensors" and d["frames_per_s"]>0 and d["flops"]>0 and {"loss","prediction_loss","sigreg","effective_rank"} <= set(d)'
sha=$(python3 -c 'import json;print(json.load(open("out"))["tensors_sha256"])')
expect 0 train a.uw --out run1 $tiny --seed 3 --threads 1 --json
json "d['tensors_sha256']=='$sha'"
expect 0 train a.uw --out run1 $tiny --seed 3 --resume --json
json "d['tensors_sha256']=='$sha'"
expect 1 train a.uw --out run $tiny
says "--force"
[ -s run/log.csv ] || fail "no log.csv"
ls run/events.out.tfevents.* >/dev/null || fail "no TensorBoard events"
expect 0 train a.uw --out plain --preset two_room $tiny --json
model=run/model.safetensors

expect 0 inspect $model --json
json "d['tensors_sha256']=='$sha' and d['parameters']>100000 and d['architecture'] and d['provenance']['seed']==3 and d['provenance']['env']=='two_room'"
expect 0 inspect run --json
json 'd["step"]==12'

expect 0 eval $model --episodes 6 --budget 20 --json
json 'd["protocol"]=="random-goal" and d["success"]["episodes"]==6 and len(d["success"]["ci95"])==2 and {"random","zero","oracle","straight","true-dynamics"} <= set(d["baselines"]) and {"p50","p99","max"} <= set(d["plan_ms"])'
table=$(python3 -c 'import json;print(json.load(open("out"))["episode_table"])')
[ "$(wc -l <"$table")" = 7 ] || fail "episode table: $(wc -l <"$table") lines, wanted 7"
expect 0 eval $model --episodes 6 --budget 20 --threads 1 --out t1.csv
cut -d, -f1-6 "$table" >x; cut -d, -f1-6 t1.csv >y
cmp x y || fail "episodes differ between thread counts"
expect 0 eval $model --episodes 6 --budget 10 --data a.uw --video v.gif --out t2.csv
[ "$(head -c 3 v.gif)" = GIF ] || fail "no animation"
expect 0 stress $model --episodes 2 --json
json 'd["nominal"]["episodes"]==2 and {"agent.color","background.color","wall.color","door.color","agent.radius","all","goal.colors"} <= set(d["factors"]) and d["worst"] in d["factors"]'
expect 0 stress $model --episodes 2 --factors background.color --json
json 'list(d["factors"])==["background.color"]'
expect 0 stress $model --episodes 2 --factors wall.thickness,texture --values min,max --num-samples 16 --num-elites 4 --iters 1 --json
json 'd["factors"]["wall.thickness"]["max"]["at"]=="41" and "random" in d["factors"]["texture"] and d["factors"]["wall.thickness"]["min"]["no_way"]==0'
json '"agent.color" in d["trained_factors"] and not d["factors"]["texture"]["random"]["in_training"] and d["worst"] in d["factors"]'
expect 2 stress $model --episodes 2 --values largest
expect 2 stress $model --episodes 2 --factors background.colour
says "did you mean background.color?"
expect 0 probe $model a.uw --rows 64 --steps 3 --json
json 'd["probes"] and {"r2","r"} <= set(next(iter(d["probes"].values()))) and len(d["drift"])==3 and {"error","persistence"} <= set(d["drift"][0]) and d["effective_rank"]>=1 and len(d["eigenvalues"])==32'
json '{"r2_ci95","untrained_r2","pca_r2","window_r2","shuffled_r2","missing"} <= set(d["probes"]["agent.x"]) and {"ratio_ci95","linear","head"} <= set(d["drift"][0])'
json '{"alarms","notices","sigreg_q99","steps","action_sensitivity"} <= set(d["gauges"]) and d["causal"]["known"] in (True, False) and {"column","why"} <= set(d["excluded"][0])'
expect 0 certify $model a.uw --json
json 'd["verdict"] in ("COLLAPSED","TOO LITTLE DATA") and d["headline"] and d["episodes"]==12 and d["r2_floor"] is None and "bound" in d and d["whitening_error"]>0 and "alignment_gap" in d'
json 'list(d["checks"])==["A%d" % i for i in range(1,15)] and {"statistic","threshold","ok"} <= set(d["checks"]["A8"]) and d["labels"]["columns"]=="state[0], state[1]"'
expect 0 certify $model a.uw --state none --all
prints "A14 matching dimension"
prints "wanted <= 0.002, fails > 0.01"
expect 3 certify $model a.uw --state stat
says "no such column"
expect 2 certify $model a.uw --rho 1.5
says "wanted a number from"

expect 0 probe $model a.uw --rows 64 --steps 3 --quick --mlp
prints "open-loop prediction"
# prediction against planning, over the models that a run kept
expect 2 probe $model a.uw --env two_room
says "--over-run"
expect 3 probe run a.uw --over-run
says "milestone_every"
expect 0 train a.uw --out kept $tiny --set milestone_every=4 --seed 3 --json
json "d['tensors_sha256']=='$sha'"
expect 0 probe kept a.uw --over-run --quick --rows 64 --steps 3 --episodes 6 --json
json '[p["step"] for p in d["over_run"]["points"]]==[0,4,8,12] and d["over_run"]["drift_step"]==4 and {"error","ratio","effective_rank"}==set(d["over_run"]["spearman"])'
json 'all(p["success"]["episodes"]==6 and p["error"]>0 and len(p["success"]["ci95"])==2 for p in d["over_run"]["points"])'

expect 0 report $model a.uw --episodes 4 --card-episodes 2 --out rep --json
json '{"eval","stress","probe","certify","fitness"} <= set(d) and d["certify"]["verdict"] and d["report"]=="rep/report.html"'
grep -q '</html>' rep/report.html || fail "report.html is not whole"
grep -q '^## When not to trust it' rep/MODEL_CARD.md || fail "the model card lacks its warnings"
[ -s rep/figures/robustness.svg ] && [ -s rep/figures/robustness.csv ] || fail "no figures beside the report"
expect 1 report $model a.uw --out rep
says "exists already"
expect 0 report $model a.uw --env none --out rep --force

expect 0 convert a.uw a.npz --json
json 'd["from"] and d["to"]=="npz" and d["episodes"]==12 and d["frames"]==156'
expect 0 convert a.npz back.uw --json
expect 0 inspect back.uw --json
json 'd["episodes"]==12 and d["frames"]==156'
expect 1 convert a.uw a.npz
expect 0 convert a.uw a.npz --force
expect 0 inspect a.npz --json
json 'd["format"]=="npz" and d["frames"]==156'
# worlds: pictures of every factor; PushT through the same verbs
expect 2 inspect two_room --preview x.png
says "--pictures DIR"
expect 2 inspect a.uw --pictures rooms
says "--preview OUT.png"
expect 0 inspect two_room --pictures rooms
[ "$(ls rooms | wc -l)" = 28 ] || fail "wanted a strip for each of 28 factors"
expect 1 inspect two_room --pictures rooms
says "exists already"
if "$umwelt" inspect pusht --pictures table >out 2>err; then # a build with Chipmunk
    [ "$(ls table | wc -l)" = 22 ] || fail "wanted a strip for each of 22 factors"
    expect 0 collect pusht --out p.uw --episodes 8 --steps 40 --variation block.color~sample --variation distractor.number=3 --json
    json 'd["actions_outside"]==0 and d["frames"]==8*41'
    expect 0 train p.uw --out prun $tiny --set frameskip=5 --set augment_factors=agent.color,background.color
    expect 0 inspect prun/model.safetensors --json
    json 'd["provenance"]["env"]=="pusht" and d["provenance"]["trained_factors"]=="agent.color,background.color,block.color"'
    expect 0 stress prun/model.safetensors --episodes 2 --factors block.color,distractors --num-samples 16 --num-elites 4 --json
    json 'd["factors"]["distractors"]["random"]["ours"] and not d["factors"]["block.color"]["random"]["ours"]'
fi
finish
