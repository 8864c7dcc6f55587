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
expect 2 eval run/model.safetensors --solver gradiant
says "did you mean gradient"
expect 2 eval run/model.safetensors --solver mppi --num-samples 4 --num-elites 4
expect 2 eval run/model.safetensors --temperature hot
finish
