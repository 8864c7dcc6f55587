"""Datasets from Python, against recordings written by a second implementation."""
import numpy as np
import pytest

import umwelt
from conftest import vector

LENGTHS = [3, 0, 2]


@pytest.mark.parametrize("name", ["raw", "split"])
def test_reads_what_was_written(name):
    with umwelt.Dataset(vector(f"dataset/{name}.uw")) as data:
        assert list(data.lengths) == LENGTHS and len(data) == sum(LENGTHS)
        assert data.columns["pixels"].shape == (2, 3, 3) and data.columns["action"].unit == "m/s"
        assert data.meta["env"] == "two_room" and data.meta["policy"] == "random" and len(data.hash) == 16
        frames, actions, ids = data["pixels"], data["action"], data["id"]
        rows = [(e, t, n) for e, n in enumerate(LENGTHS) for t in range(n)]
        for row, (e, t, n) in enumerate(rows):
            np.testing.assert_array_equal(frames[row].ravel(), (16 * e + 4 * t + np.arange(18)) % 256)
            want = [np.nan, np.nan] if t == n - 1 else [e + t / 4, -t]
            np.testing.assert_array_equal(actions[row], np.float32(want))
            assert ids[row] == 2**53 + 1 + e
        np.testing.assert_array_equal(data.read("action", 0, first=1), actions[1:3])
        np.testing.assert_array_equal(data.read("pixels", 0, stride=2), frames[[0, 2]])
        out = np.empty((2, 2), np.float32)
        assert data.read("action", 2, out=out) is out
        kept = np.float32([[0, 0], [0.25, -1], [2, 0]])  # the rows without NaN
        mean, std = data.normaliser("action")
        np.testing.assert_allclose(mean, kept.mean(0), atol=1e-6)
        np.testing.assert_allclose(std, kept.std(0), atol=1e-6)


def test_refusals(tmp_path):
    data = umwelt.Dataset(vector("dataset/raw.uw"))
    for call, said in [(lambda: data["pixel"], "did you mean 'pixels'"), (lambda: data.read("action", 3), "episode: wanted 0 to 2"),
                       (lambda: data.read("action", 0, 2, 5), "rows|row|outside"),
                       (lambda: data.read("action", 0, out=np.empty((3, 2))), "wanted contiguous float32"),
                       (lambda: data.read("action", 0, -1, 1), "row")]:
        with pytest.raises(umwelt.UmweltError, match=said):
            call()
    (tmp_path / "no.uw").write_bytes(b"no dataset")
    with pytest.raises(umwelt.UmweltError) as e:
        umwelt.Dataset(tmp_path / "no.uw")
    assert e.value.code == "EFORMAT"
