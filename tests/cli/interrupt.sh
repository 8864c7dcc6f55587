#!/bin/sh
# Ctrl-C leaves a state that resumes to the same bits, and prints the command; SIGTERM likewise.
. "$(dirname "$0")/lib.sh"
keys="--set batch=8 --set sigreg_directions=16 --set checkpoint_every=5"

expect 0 collect two_room --out a.uw --episodes 12 --steps 12
expect 0 train a.uw --out whole $keys --steps 150 --json
sha=$(python3 -c 'import json;print(json.load(open("out"))["tensors_sha256"])')

for signal in INT TERM; do
    rm -rf part
    "$umwelt" train a.uw --out part $keys --steps 150 >out 2>err &
    pid=$!
    for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -n "$(ls part/checkpoints 2>/dev/null)" ] && break
        sleep 0.1
    done
    kill -$signal $pid
    wait $pid
    code=$?
    if [ $code = 0 ]; then
        echo "note: finished before SIG$signal came"
    else
        [ $signal = INT ] && want=130 || want=143
        [ $code = $want ] || fail "SIG$signal: exit $code, wanted $want"
        says "resume with: umwelt train a.uw --out part"
    fi
    expect 0 train a.uw --out part $keys --steps 150 --resume --json
    json "d['tensors_sha256']=='$sha'"
done

expect 0 collect two_room --out d.uw --episodes 4000 --steps 20 --variation agent.color~sample
for signal in INT:130 KILL:137; do
    rm -f c.uw
    "$umwelt" collect two_room --out c.uw --episodes 4000 --steps 20 --variation agent.color~sample >out 2>err &
    pid=$!
    sleep 0.5
    kill -${signal%:*} $pid
    wait $pid
    code=$?
    [ $code = ${signal#*:} ] || [ $code = 0 ] || fail "collect: exit $code, wanted ${signal#*:}"
    [ $code = 130 ] && says "umwelt collect two_room --out c.uw --episodes 4000 --steps 20 --variation agent.color~sample --resume"
    expect 0 collect two_room --out c.uw --episodes 4000 --steps 20 --variation agent.color~sample --resume
    cmp c.uw d.uw || fail "stopped by $signal and resumed, a dataset differs from one recorded in one go"
done
finish
