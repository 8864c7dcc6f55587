#!/bin/sh
# A stranger's log from a plant, all the way: CSV with episodes, a clock, gaps and holes -> data set -> model of
# columns -> probes of what it was never shown; with and without actions.  docs/guide/plant.md tells it as a story.
. "$(dirname "$0")/lib.sh"

python3 - <<'PLANT'
import math, random
random.seed(1)
gauss = random.gauss
# 40 shifts of 250 rows; two slow causes (feed, quality) behind two gauges that mix them; a pump that never
# changes, a laboratory that measures every fiftieth row, a gauge that falls silent, a logger that was down
with open('plant.csv', 'w') as file:
    file.write('episode,time,x0,x1,feed,quality,pump,lab\n')
    for episode in range(40):
        feed, quality, time = gauss(0, 1), gauss(0, 1), 0
        for row in range(250):
            x0, x1 = f'{40 + 5 * feed:.4f}', f'{12 + 3 * (quality + feed * feed):.4f}'
            if episode == 7 and 100 <= row < 103: x0 = ''
            if episode == 9 and row == 30: x1 = 'nan'
            if episode == 11 and row == 120: time += 600
            lab = f'{quality:.2f}' if row % 50 == 0 else ''
            file.write(f'{episode},{time},{x0},{x1},{feed:.4f},{quality:.4f},3,{lab}\n')
            time += 10
            feed, quality = (0.95 * z + math.sqrt(1 - 0.95 ** 2) * gauss(0, 1) for z in (feed, quality))
# a tank in one long run: level and temperature, a valve of whole per cent as the action, an hour's gap
with open('tank.csv', 'w') as file:
    file.write('time,level,temperature,valve\n')
    time, level, temperature, valve = 0, 1.0, 20.0, 0
    for row in range(4000):
        if row % 7 == 0: valve = random.choice([0, 25, 50, 75, 100])
        if row % 500 == 499: time += 3600
        seen = '' if row == 3000 else f'{temperature + gauss(0, .02):.3f}'
        file.write(f'{time},{level + gauss(0, .002):.4f},{seen},{valve}\n')
        level += 0.02 * (valve / 100 - 0.4 * math.sqrt(max(level, 0)))
        temperature += 0.03 * (60 - temperature) - 0.02 * valve / 100 * (temperature - 15) / max(level, .2)
        time += 1
PLANT

# ---- no actions: what the two gauges hide ------------------------------------------------------------
expect 0 convert plant.csv plant.uw --json
json "d['episodes']==41 and d['frames']==10000" # the gap cuts one
says "plant.csv: column 'x0': 3 of 10000 numbers are missing"
says "plant.csv: column 'lab': 9800 of 10000 numbers are missing"
says "plant.csv: column 'time': gaps in the clock: 1 (its step is 10)"
expect 0 inspect plant.uw --json
json "{c['name']:c['nan'] for c in d['columns']}=={'time':0,'x0':3,'x1':1,'feed':0,'quality':0,'pump':0,'lab':9800}"

expect 0 train plant.uw --out run --preset identifiability --set observe=x0,x1 --set latent_dim=2 --set mlp_dim=64 \
    --set sigreg_directions=64 --steps 1500
says "train: x0: 3 numbers are missing"
says "train: x1: 1 numbers are missing"
says "train: 6 of 9959 windows would read one (x0: episode 7 row 100) and are left out"
expect 0 probe run/model.safetensors plant.uw --json
json "d['probes']['feed']['r2']>=0.97 and d['probes']['quality']['r2']>=0.95"
json "not {'pump','lab'} & set(d['probes'])" # nothing to predict
expect 0 inspect run/model.safetensors --json
json "'mlp' in d['architecture'] if isinstance(d['architecture'],str) else True"

# by default every column that may be a sensor is observed, and what is not is named
expect 0 train plant.uw --out all --preset identifiability --steps 5
says "train: time: a clock, not observed"
says "train: pump: constant, not observed"
says "train: lab: mostly missing, not observed"
says "train: the model sees x0,x1,feed,quality"
expect 0 train plant.uw --out odd --preset identifiability --set observe=x0,pump --steps 5
says "train: pump: constant, observed all the same"

# ---- actions from a column of the table ---------------------------------------------------------------
expect 0 convert tank.csv tank.uw --json
json "d['episodes']==9 and d['frames']==4000"
expect 3 train tank.uw --out tank --preset sensors
says "action: the data set has no column action"
says "set action=NAME, or action=none"
expect 0 train tank.uw --out tank --preset sensors --set action=valve --set latent_dim=4 --steps 300 --json
json "d['steps']==300 and math.isfinite(d['loss'])"
says "train: the model sees level,temperature"
expect 0 probe tank/model.safetensors tank.uw --json
json "d['drift'][3]['error']<0.5*d['drift'][3]['persistence']" # the valve's effect is foreseen

# ---- what goes wrong, said so that it can be mended ---------------------------------------------------------
expect 5 train plant.uw --out no
says "take preset sensors"
expect 3 train plant.uw --out no --preset identifiability --set observe=x0,x3
says "did you mean x"
expect 7 train plant.uw --out no --preset identifiability --set observe=lab
says "lab: episode 0 row 1: wanted a window of 2 frames without missing numbers"
expect 5 probe run/model.safetensors tank.uw
says "x0: wanted this column, which the model observes, got none"
[ ! -e no ] || fail "a refused training left a folder"
printf 'time,level\n0,full\n' >text.csv
expect 4 convert text.csv text.uw
says "line 2"
finish
