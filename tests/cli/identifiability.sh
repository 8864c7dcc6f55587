#!/bin/sh
# The theory of two views at the size of a test: an isotropic Ornstein-Uhlenbeck world behind a banana is
# recovered by a free network; an anisotropic one, rho_min < rho_max^2, loses exactly its fast coordinate
# under whitening.  Seeds are fixed, so the numbers are too, but for the instruction set's last digits.
. "$(dirname "$0")/lib.sh"

# study NAME STEPS SETTINGS...: train on NAME.uw, probe it.
study() {
    name=$1 steps=$2
    shift 2
    expect 0 train $name.uw --out $name --preset identifiability --set observe=x --set mlp_dim=64 \
        --set sigreg_directions=64 --steps $steps "$@" --quiet
    expect 0 probe $name/model.safetensors $name.uw --json
}

expect 0 collect ou --out even.uw --episodes 400 --steps 100 --variation mixing=banana --json
json "d['episodes']==400 and d['frames']==40400"
expect 0 inspect even.uw --json
json "[c['name'] for c in d['columns']]==['x','z']"
study even 1500
json "min(d['probes'][c]['r2'] for c in ('z[0]','z[1]'))>=0.97"
json "d['drift'][0]['error']==d['drift'][0]['persistence']" # no predictor: nothing is foreseen to change
json "d['probes']['x[1]']['r2']<0.9"                         # x is bent, and no linear map of the code

expect 0 collect ou --out uneven.uw --episodes 400 --steps 100 --variation mixing=banana --variation rho=0.99,0.97
study uneven 1500 --set sigreg_weight=0 --set vicreg_weight=1
json "d['probes']['z[0]']['r2']>=0.95 and abs(d['probes']['z[1]']['r2'])<=0.1"

# the same seeds, the same bits, for any number of threads and in two goes
expect 0 collect ou --out one.uw --episodes 400 --steps 100 --variation mixing=banana --threads 1
cmp even.uw one.uw || fail "another number of threads gave another recording"
expect 0 collect ou --out two.uw --episodes 100 --steps 100 --variation mixing=banana
expect 0 collect ou --out two.uw --episodes 400 --steps 100 --variation mixing=banana --resume
cmp even.uw two.uw || fail "a recording that was resumed differs"

# what a process is not
expect 2 collect ou --out no.uw --policy expert
says "ou is a process: it takes no policy"
expect 2 collect ou --out no.uw --variation dim~sample
says "wanted the same columns in every episode"
expect 2 collect ou --out no.uw --variation law=laplace --variation action.dim=1
says "ou: action.dim: wanted 0 where the law is not gaussian"
[ ! -e no.uw ] || fail "a refused recording left a file"
expect 2 eval even/model.safetensors --env ou
says "wanted a world to act in, got a process"
expect 0 inspect ou
prints "mixing.layers"
expect 2 inspect ou --pictures dir
says "a process has no pictures"
expect 2 train even.uw --out no --preset identifiability --set observe=x --set encoder=coupling --set latent_dim=3
says "latent_dim, wanted 2 = observe_dim for coupling, got 3"
finish
