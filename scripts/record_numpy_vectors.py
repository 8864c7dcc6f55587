#!/usr/bin/env python3
"""Write tests/vectors/numpy/pcg64.txt: what NumPy's default generator gives for some seeds.

    python3 scripts/record_numpy_vectors.py tests/vectors/numpy

One line per fresh generator: KIND SEED ARGUMENTS : NUMBERS.  Doubles are written in hexadecimal, exactly.
    raw               random_raw()
    random            random()
    uniform LOW HIGH  uniform(LOW, HIGH)
    below N           integers(N)
    mixed N           integers(N), random(), integers(N), random(), ...: a kept half survives whole numbers
"""
import pathlib
import sys

import numpy as np

SEEDS = [0, 1, 2, 42, 1000, 2**31 - 2, 2**32 - 1, 2**32, 0x0123456789ABCDEF, 2**64 - 1]
COUNTS = [1, 2, 3, 7, 100, 2**31 - 1, 2**31 + 1, 3_000_000_001, 2**32 - 1]


def fresh(seed):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def lines():
    for seed in SEEDS:
        rng = fresh(seed)
        yield f"raw {seed} :", [str(rng.bit_generator.random_raw()) for _ in range(6)]
        rng = fresh(seed)
        yield f"random {seed} :", [float(rng.random()).hex() for _ in range(6)]
        for low, high in [(0.0, 256.0), (-6.283185307179586, 6.283185307179586), (1.75, 10.5)]:
            rng = fresh(seed)
            yield f"uniform {seed} {low!r} {high!r} :", [float(rng.uniform(low, high)).hex() for _ in range(5)]
        for n in COUNTS:
            rng = fresh(seed)
            yield f"below {seed} {n} :", [str(rng.integers(n)) for _ in range(9)]
        rng = fresh(seed)
        yield f"mixed {seed} 10 :", [v for _ in range(4) for v in (str(rng.integers(10)), float(rng.random()).hex())]


def main(folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{head} {' '.join(values)}\n" for head, values in lines())
    (out / "pcg64.txt").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
