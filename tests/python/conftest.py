"""What the tests share: the vectors' folder, and a small LeWM with the reference's numbers."""
import json
from pathlib import Path

import numpy as np
import pytest

import lewm_files

KEPT = Path(__file__).parents[1] / "vectors"


def vector(name):
    """A file that the repository keeps; a skip with its name where there is none."""
    if not (KEPT / name).exists():
        pytest.skip(f"{name} is not among the vectors")
    return KEPT / name


@pytest.fixture(scope="session")
def golden():
    """Recorded tensors by file: golden("lewm_tiny/eval")["z"]; `.meta` holds the metadata."""
    class Recording(dict):
        meta: dict

    def read(name):
        meta, tensors = lewm_files.read_safetensors(vector(f"golden/{name}.safetensors"))
        out = Recording(tensors)
        out.meta = meta
        return out
    return read


@pytest.fixture(scope="session")
def tiny_file(golden, tmp_path_factory):
    """The recorded tiny LeWM as a model file, actions unscaled."""
    weights = golden("lewm_tiny/weights")
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    lewm_files.write_lewm(path, json.loads(weights.meta["config"]), weights)
    return path


@pytest.fixture(scope="session")
def scaled_file(golden, tmp_path_factory):
    """The same with an action normaliser."""
    weights = golden("lewm_tiny/weights")
    path = tmp_path_factory.mktemp("model") / "scaled.safetensors"
    lewm_files.write_lewm(path, json.loads(weights.meta["config"]), weights, [0.25, -0.5], [0.5, 2.0])
    return path


@pytest.fixture(scope="session")
def tiny(tiny_file):
    import umwelt
    return umwelt.Model.load(tiny_file, umwelt.Context(threads=2))


@pytest.fixture(scope="session")
def frames(golden):
    pixels = golden("lewm_tiny/inputs")["pixels"]
    return pixels.reshape(-1, *pixels.shape[2:])
