"""The guide's Python blocks run as written, one after the other, where the files they name exist."""
import re
from pathlib import Path

import pytest

import umwelt
from conftest import vector

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "python.md"


def blocks():
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.S | re.M)


def test_blocks_run(scaled_file, tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(Path(scaled_file).read_bytes())
    (tmp_path / "data.uw").write_bytes(vector("dataset/raw.uw").read_bytes())
    monkeypatch.chdir(tmp_path)
    names, ran = {}, 0
    for block in blocks():
        needs = re.match(r"# needs (\w+)\n", block)
        if needs and not _have(needs[1]):
            continue
        exec(compile(block, str(GUIDE), "exec"), names)
        ran += 1
    assert ran >= 4


def _have(module):
    import importlib.util
    return importlib.util.find_spec(module) is not None


def test_every_public_name_is_in_the_guide():
    text = GUIDE.read_text()
    missing = [n for n in umwelt.__all__ if n not in text]
    assert not missing


@pytest.mark.parametrize("name", umwelt.__all__)
def test_every_public_name_has_a_docstring(name):
    thing = getattr(umwelt, name)
    if not isinstance(thing, dict):
        assert (thing.__doc__ or "").strip()
