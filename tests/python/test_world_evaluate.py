"""Our policy inside stable-worldmodel's own World.evaluate, beside its own planner: same actions, same outcomes."""
import importlib.util

import pytest

for package in ("stable_worldmodel", "torch", "transformers", "gymnasium"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"no {package} in this interpreter (UW_PYTHON_PEERS names another)", allow_module_level=True)

import world_evaluate  # noqa: E402


@pytest.mark.parametrize("env", ["pusht", "tworoom"])
def test_same_actions_and_outcomes(env):
    r = world_evaluate.compare(env, episodes=4, samples=32, iterations=3)
    assert r["actions"] > 0 and r["largest_action"] > 0.1
    assert r["action_difference"] <= 1e-4 and r["nan_alike"]
    assert r["ours"] == r["reference"] and r["steps"][0] == r["steps"][1]
