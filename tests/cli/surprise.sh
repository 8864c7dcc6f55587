#!/bin/sh
# Surprise and data fitness from the command: calibrate, judge, inject, act; what is wrong with a recording.
. "$(dirname "$0")/lib.sh"
tiny="--set batch=8 --set sigreg_directions=16 --set steps=12 --threads 1"

expect 0 collect two_room --out a.uw --episodes 12 --steps 12 --seed 4 --threads 1
expect 0 train a.uw --out run $tiny --seed 3
model=run/model.safetensors
expect 0 collect two_room --out cal.uw --episodes 30 --steps 12 --seed 500 --threads 1
expect 0 collect two_room --out fresh.uw --episodes 10 --steps 12 --seed 900 --threads 1

expect 0 surprise $model fresh.uw --calibrate cal.uw --json --threads 1
json '{"events","threshold","alpha","alarmed","steps","alarms","scores","calibration"} <= set(d) and d["verb"]=="surprise"'
json 'd["threshold"]>0 and d["alpha"]==0.05 and d["alarmed"]["episodes"]==10 and d["steps"]==120 and d["alarms"]==len(d["events"])'
json 'all(set(e)=={"episode","step","row","score"} and e["score"]>d["threshold"] for e in d["events"])'
json 'd["calibration"]["episodes"]==20 and d["calibration"]["covariance_episodes"]==10 and d["calibration"]["data"]=="cal.uw"'
expect 0 surprise $model fresh.uw --calibrate cal.uw --threads 2 --steps 2
prints "2 decisions ahead"

# a calibration is a file, for this model and no other
expect 0 surprise $model --calibrate cal.uw --out band.safetensors --json
json 'd["events"]==[] and d["threshold"]>0'
expect 1 surprise $model --calibrate cal.uw --out band.safetensors
says "--force"
expect 0 surprise $model fresh.uw --calibration band.safetensors --alpha 0.2 --json
json 'd["alpha"]==0.2 and d["calibration"]["episodes"]==20'
expect 0 train a.uw --out other $tiny --seed 9
expect 5 surprise other/model.safetensors fresh.uw --calibration band.safetensors
says "another model"
head -c 300 band.safetensors >broken.safetensors
expect 4 surprise $model fresh.uw --calibration broken.safetensors
expect 4 surprise $model fresh.uw --calibration $model
says "not a calibration"

# too few, and too little said
expect 2 surprise $model fresh.uw
says "wanted 28 episodes to calibrate, got 5"
expect 2 surprise $model
expect 2 surprise $model fresh.uw --alpha 2
expect 2 surprise $model --inject telport
says "did you mean teleport?"
expect 3 surprise $model nothing.uw
expect 2 surprise $model fresh.uw --calibrate cal.uw --calibration band.safetensors

# events in a world
expect 0 surprise $model --inject teleport,frozen --episodes 8 --json --threads 1
json 'd["env"]=="two_room" and list(d["injections"])==["none","teleport","frozen"] and d["event_at"]==20'
json 'all(r["detected"]["episodes"]<=8 and r["paired"]["episodes"]==8 and 0<=r["auroc"]<=1 and "untrained" in r and "persistence" in r for r in d["injections"].values())'
cp out one
expect 0 surprise $model --inject teleport,frozen --episodes 8 --json --threads 2
python3 - <<'PY' || fail "injections differ between thread counts"
import json, sys
a, b = json.load(open("one")), json.load(open("out"))
for d in (a, b): d.pop("seconds"); d.pop("threads")
sys.exit(a != b)
PY
expect 0 surprise $model --inject all --episodes 8 --calibration band.safetensors
prints "removed"

# and in the closed loop
small="--episodes 6 --budget 40 --num-samples 16 --num-elites 4 --iters 1 --threads 1"
expect 0 eval $model $small --calibration band.safetensors --on-surprise stop --teleport-at 10 --out e.csv --json
json 'd["surprise"]["answer"]=="stop" and d["surprise"]["held"]==0 and d["surprise"]["noticed"]["episodes"]<=6 and d["surprise"]["surprised"]>=0'
expect 2 eval $model $small --on-surprise stop --out f.csv
says "wanted --calibration"
expect 2 eval $model $small --calibration band.safetensors --on-surprise halt --out f.csv
expect 2 eval $model $small --calibration band.safetensors --replan 3 --out f.csv
says "replan 1"

# ---- data fitness

expect 0 inspect cal.uw --fitness --json
json 'd["fitness"]["verdict"]=="good" and d["fitness"]["observation"]=="2 sensor numbers" and d["fitness"]["actions"][0]["p_value"]<0.05'
json '{"name","object","verdict","value","threshold","what","advice"} == set(d["fitness"]["checks"][0])'
json '{c["name"] for c in d["fitness"]["checks"]} >= {"episodes","missing numbers","constant numbers","stuck sensors","outliers","clock","duplicates","split overlap","state coverage","action coverage","actions matter"}'
python3 - <<'PY'
import random
random.seed(1)
with open("plant.csv", "w") as f:
    f.write("episode,time,level,pump,valve\n")
    for e in range(30):
        x = 0.0
        for t in range(50):
            a = random.uniform(-1, 1)
            bad = 50.0 if e == 7 else 1.0
            f.write(f"{e},{t*0.5},{x*bad:.6f},3,{a:.6f}\n")
            x = 0.9 * x + 0.3 * a + random.gauss(0, 0.05)
PY
expect 0 inspect plant.csv --fitness --action valve --json
json 'd["fitness"]["verdict"]=="bad"'
json '[c["verdict"] for c in d["fitness"]["checks"] if c["name"]=="outliers"]==["bad"] and "episode 7" in [c["what"] for c in d["fitness"]["checks"] if c["name"]=="outliers"][0]'
json '[c["object"] for c in d["fitness"]["checks"] if c["name"]=="constant numbers"]==["pump"]'
json '[c["verdict"] for c in d["fitness"]["checks"] if c["name"]=="actions matter"]==["good"]'
expect 0 inspect plant.csv --fitness
prints "no actions are recorded"
prints "-> convert those episodes"
expect 2 inspect two_room --fitness
expect 2 inspect $model --fitness
expect 2 inspect cal.uw --fitness --holdout 7
finish
