#!/bin/sh
# Every solver plans with a model; a word that is none is refused with the nearest; a solver that descends has no
# simulator to compare with.
. "$(dirname "$0")/lib.sh"

expect 0 collect two_room --out d.uw --episodes 3 --steps 6
expect 0 train d.uw --out run --set batch=2 --set sigreg_directions=8 --steps 2
for solver in cem icem mppi predictive gradient pgd categorical lagrangian; do
    for compat in "" --compat; do
        rm -f t.csv
        expect 0 eval run/model.safetensors --episodes 6 --budget 5 --solver $solver --horizon 3 --num-samples 8 \
            --num-elites 4 --iters 2 $compat --out t.csv --json
        case $solver in gradient | pgd | lagrangian) in="not in" ;; *) in="in" ;; esac
        json "'true-dynamics' $in d['baselines'] and 'random' in d['baselines']"
    done
done
expect 0 eval run/model.safetensors --episodes 6 --budget 5 --against gradient --horizon 3 --out a.csv
# a map of the recording in place of latent distance, alone and beside another solver
expect 0 eval run/model.safetensors --episodes 6 --budget 5 --solver landmark --landmarks 9 --data d.uw --out l.csv --json
json "d['success']['episodes'] == 6"
expect 0 eval run/model.safetensors --episodes 6 --budget 5 --solver landmark --data d.uw --threads 1 --out l1.csv
expect 0 eval run/model.safetensors --episodes 6 --budget 5 --against landmark --data d.uw --threads 2 --out l2.csv
cut -d, -f1-7,9- l1.csv >one # without the latency
cut -d, -f1-7,9- l2.csv.against.csv >two
cut -d, -f1-7,9- l2.csv >cem
cmp one two || fail "landmark: episodes depend on the threads"
cmp -s one cem && fail "landmark: the same episodes as cem's"
expect 2 eval run/model.safetensors --solver landmark
says "wanted --data"
expect 2 eval run/model.safetensors --landmarks 9
expect 2 eval run/model.safetensors --solver landmark --landmarks 0 --data d.uw
expect 2 eval run/model.safetensors --solver landmark --compat --data d.uw
expect 3 eval run/model.safetensors --solver landmark --data none.uw
expect 2 stress run/model.safetensors --solver landmark
says "wanted --data"
expect 0 stress run/model.safetensors --solver landmark --landmarks 9 --data d.uw --episodes 6 --factors agent.color --json
json "d['nominal']['episodes'] == 6"
# a policy of the recording in place of the search: fitted and kept, read again, of this model only
tiny="--episodes 6 --budget 5 --data d.uw --policy-steps 30"
expect 0 eval run/model.safetensors $tiny --solver inverse --policy p.safetensors --against mppi --threads 1 --out i.csv --json
json "d['success']['episodes'] == 6 and d['against']['name'] == 'mppi' and d['plan_ms']['p50'] > 0"
cp p.safetensors kept.safetensors
expect 0 eval run/model.safetensors $tiny --solver inverse --policy p.safetensors --threads 2 --out i2.csv
cmp p.safetensors kept.safetensors || fail "inverse: a policy that was there was written again"
expect 0 eval run/model.safetensors $tiny --against inverse --policy other.safetensors --threads 2 --out i3.csv
cmp p.safetensors other.safetensors || fail "inverse: the fit depends on the threads"
cut -d, -f1-7,9- i.csv >one
cut -d, -f1-7,9- i2.csv >two
cut -d, -f1-7,9- i3.csv.against.csv >three
cmp one two || fail "inverse: episodes of a policy that was read differ"
cmp one three || fail "inverse: episodes as the other solver differ"
expect 0 eval run/model.safetensors --episodes 6 --budget 5 --solver cem --policy p.safetensors --out first.csv
expect 0 stress run/model.safetensors --solver inverse --policy p.safetensors --episodes 6 --factors agent.color --json
expect 0 train d.uw --out run2 --set batch=2 --set sigreg_directions=8 --seed 1 --steps 2
expect 2 eval run/model.safetensors --episodes 6 --solver inverse --policy p.safetensors --against run2/model.safetensors
says "a policy is one model's"
expect 0 eval run/model.safetensors $tiny --solver inverse --against run2/model.safetensors --out two.csv
expect 5 eval run2/model.safetensors --episodes 6 --solver inverse --policy p.safetensors
says "wanted one of model"
says "got one of model"
expect 4 eval run/model.safetensors --episodes 6 --solver inverse --policy run/model.safetensors
expect 4 eval run/model.safetensors --episodes 6 --solver inverse --policy d.uw
expect 2 eval run/model.safetensors --solver inverse
says "wanted --data or --policy"
expect 3 eval run/model.safetensors --solver inverse --policy none.safetensors
expect 2 eval run/model.safetensors --solver inverse --compat --data d.uw
expect 2 eval run/model.safetensors --solver gradiant
says "did you mean gradient"
expect 2 eval run/model.safetensors --solver mppi --num-samples 4 --num-elites 4
expect 2 eval run/model.safetensors --temperature hot
finish
