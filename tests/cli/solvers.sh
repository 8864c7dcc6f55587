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
says "no such solver"
expect 2 eval run/model.safetensors --solver gradiant
says "did you mean gradient"
expect 2 eval run/model.safetensors --solver mppi --num-samples 4 --num-elites 4
expect 2 eval run/model.safetensors --temperature hot
finish
