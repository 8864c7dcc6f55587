#!/usr/bin/env python3
"""Write what the tests of protocols compare with: NumPy's choice, McNemar's test, a recording without its pictures.

    python3 scripts/record_protocol_vectors.py tests/vectors tworoom_blosc_zstd.h5

numpy/choice.txt   SEED N COUNT : the sorted default_rng(SEED).choice(N, COUNT, replace=False); of many only a sum
                   (sum SEED N COUNT : FIRST LAST SUM-OF-(i+1)*NUMBER)
stats/mcnemar.txt  ONLY_FIRST ONLY_SECOND P, exact, by scipy.stats.binomtest
data/tworoom_lowdim.npz   columns action and state of the recording, and its episodes
"""
import pathlib
import sys

import h5py
import hdf5plugin  # noqa: F401: the recording is compressed
import numpy as np
from scipy.stats import binomtest

SIZES = [(1, 1), (5, 5), (7, 3), (300, 20), (10000, 400), (10001, 200), (10001, 201), (40000, 800), (40000, 2000),
         (3_000_000, 200)]
COUNTS = [(0, 0), (1, 0), (0, 5), (0, 6), (3, 9), (10, 10), (25, 11), (40, 90), (500, 561), (2, 2000)]


def choices():
    for seed in (0, 42, 3072):
        for n, count in SIZES:
            drawn = np.sort(np.random.default_rng(seed).choice(n, count, replace=False))
            if count <= 20:
                yield f"all {seed} {n} {count} : {' '.join(map(str, drawn))}\n"
            else:
                weighted = int((np.arange(1, count + 1) * drawn).sum())
                yield f"sum {seed} {n} {count} : {drawn[0]} {drawn[-1]} {weighted}\n"


def tests():
    for b, c in COUNTS:
        p = float(binomtest(b, b + c, 0.5).pvalue) if b + c else 1.0
        yield f"{b} {c} {p!r}\n"


def main(folder, recording):
    out = pathlib.Path(folder)
    (out / "numpy" / "choice.txt").write_text("".join(choices()))
    (out / "stats" / "mcnemar.txt").write_text("".join(tests()))
    with h5py.File(recording) as f:
        columns = {name: f[name][:] for name in ("action", "state", "ep_len", "ep_offset")}
    np.savez_compressed(out / "data" / "tworoom_lowdim.npz", **columns)


if __name__ == "__main__":
    main(*sys.argv[1:])
