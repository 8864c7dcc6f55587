#!/usr/bin/env python3
"""Write tests/vectors/npy with NumPy: what NumPy writes, our reader must read; and what it must refuse.

    python3 scripts/make_npy_vectors.py tests/vectors/npy

Values follow formulas that tests/unit/test_npz.c repeats: element i of every number array is (37 * i) % 101 - 50,
cast to the type (bool: that number is odd; uint8: modulo 256).
"""
import pathlib
import sys

import numpy as np


def ramp(dtype, *shape):
    v = (37 * np.arange(int(np.prod(shape)), dtype=np.int64)) % 101 - 50
    v = v % 2 == 1 if dtype == np.bool_ else v
    return v.astype(dtype).reshape(shape)


def main(folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    arrays = {
        "u1": ramp(np.uint8, 2, 3), "b1": ramp(np.bool_, 7), "i4": ramp(np.int32, 4),
        "i8": ramp(np.int64, 2, 2), "f2": ramp(np.float16, 5), "f4": ramp(np.float32, 3, 4),
        "f8": ramp(np.float64, 2, 3, 4), "scalar": ramp(np.float64), "empty": ramp(np.float32, 3, 0, 2),
        "fortran": np.asfortranarray(ramp(np.float32, 2, 3, 4)),
        "text": np.array([["a", ""], ["Größe", "\U0001f916x"]]),
    }
    np.savez(out / "stored.npz", **arrays)
    np.savez_compressed(out / "deflated.npz", **arrays, zeros=np.zeros((300, 1000), np.float32))
    small = {"f4": arrays["f4"], "b1": arrays["b1"], "text": arrays["text"]}
    np.savez(out / "small.npz", **small)
    np.savez_compressed(out / "small_deflated.npz", **small)
    np.save(out / "single.npy", arrays["f4"])
    with open(out / "version2.npy", "wb") as f:
        np.lib.format.write_array(f, arrays["f4"], version=(2, 0))
    np.save(out / "bad_objects.npy", np.array([{}, None], object), allow_pickle=True)
    np.save(out / "bad_big_endian.npy", arrays["f4"].astype(">f4"))
    np.save(out / "bad_structured.npy", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
    np.save(out / "bad_complex.npy", np.zeros(2, np.complex64))


if __name__ == "__main__":
    main(sys.argv[1])
