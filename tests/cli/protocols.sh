#!/bin/sh
# Protocols with a dataset: pairs, splits, two solvers side by side, a stop and its resume, refusals.
. "$(dirname "$0")/lib.sh"
expect 0 collect two_room --out a.uw --episodes 60 --steps 12 --size 32
expect 0 train a.uw --out run --set batch=8 --set sigreg_directions=16 --set image_size=32 --set holdout=0.3 --steps 4
model=run/model.safetensors
few="--num-samples 16 --num-elites 4 --iters 1 --horizon 6"

expect 0 eval $model --protocol released --data a.uw --episodes 30 $few --json
json 'd["protocol"]=="released" and d["budget"]==50 and d["success"]["episodes"]==30 and {"random","zero","replay","oracle"} <= set(d["baselines"])'
json 'd["baselines"]["replay"]["successes"]==30 and d["baselines"]["zero"]["successes"]==d["solved_at_start"]'
json 'd["data"]["split"]=="all" and d["data"]["starts"]==60*8 and d["data"]["episodes_too_short"]==0 and len(d["data"]["hash"])==16'
[ -z "$(ls run/*.part 2>/dev/null)" ] || fail "finished episodes were left behind"

for split in train validation; do
    expect 0 eval $model --protocol clear-moderate --data a.uw --split $split --episodes 20 $few --out $split.csv --json
    json "d['data']['split']=='$split' and 0<d['data']['starts']<480"
    tail -n +2 $split.csv | cut -d, -f13 | sort -u >$split.episodes
done
[ -z "$(sort train.episodes validation.episodes | uniq -d)" ] || fail "an episode is in both splits"

expect 0 eval $model --protocol clear-strict --data a.uw --episodes 20 $few --against icem --out s.csv --json
json 'd["against"]["name"]=="icem" and sum(d["against"][k] for k in ("both","only_first","only_second","neither"))==20 and 0<d["against"]["p_value"]<=1'
[ "$(wc -l <s.csv.against.csv)" = 21 ] || fail "the other's table"
expect 0 eval $model --episodes 6 --budget 10 $few --against $model --out m.csv --json
json 'd["against"]["only_first"]==0 and d["against"]["only_second"]==0 and d["against"]["p_value"]==1'

# Stopped and given again: the table is the same but for latencies.
long="eval $model --protocol released --data a.uw --episodes 400 --num-samples 64 --iters 4"
expect 0 $long --out whole.csv
"$umwelt" $long --out part.csv >out 2>err &
pid=$!
sleep 0.4
kill -INT $pid
wait $pid
code=$?
[ $code = 130 ] || [ $code = 0 ] || fail "SIGINT: exit $code, wanted 130"
if [ $code = 130 ]; then
    [ -s part.csv.model.part ] || fail "no finished episodes were kept"
    expect 0 $long --out part.csv
    says "episodes were played before"
fi
cut -d, -f1-7,9- whole.csv >x
cut -d, -f1-7,9- part.csv >y
cmp x y || fail "stopped and resumed, an evaluation differs from one in one go"
[ -z "$(ls part.csv.*.part 2>/dev/null)" ] || fail "finished episodes were left behind"

expect 2 eval $model --protocol relesed
says "did you mean released?"
expect 2 eval $model --protocol released
says "--data"
expect 2 eval $model --split train
expect 2 eval $model --protocol released --data a.uw --split valid
says "did you mean validation?"
expect 5 eval $model --protocol released --data a.uw --episodes 481
says "480 starts are left"
expect 5 eval $model --episodes 5
says "wanted at least 6"
expect 3 eval $model --episodes 6 --against nothing
says "a solver's name"
expect 0 collect two_room --out short.uw --episodes 5 --steps 4 --size 0
expect 5 eval $model --protocol released --data short.uw
says "5 of 5 episodes have no goal"
if "$umwelt" collect pusht --out p.uw --episodes 2 --steps 30 --size 0 >out 2>err; then
    expect 5 eval $model --protocol released --data p.uw
    says "recorded in pusht, wanted a recording of two_room"
fi
finish
