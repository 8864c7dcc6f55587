"""Our worlds under gymnasium's own checker."""
import numpy as np
import pytest

import umwelt

gymnasium = pytest.importorskip("gymnasium", reason="no gymnasium in this interpreter (UW_PYTHON_PEERS names another)")
import umwelt.gym  # noqa: E402
from gymnasium.utils.env_checker import check_env  # noqa: E402


@pytest.mark.parametrize("world", umwelt.worlds())
@pytest.mark.parametrize("observation", ["pixels", "state"])
def test_gymnasium_accepts_it(world, observation):
    env = gymnasium.make(f"umwelt/{world}-v0", observation=observation, size=32, render_mode="rgb_array")
    check_env(env.unwrapped, skip_render_check=False)
    first, info = env.reset(seed=4)
    assert first.dtype == env.observation_space.dtype and info["goal"].shape == first.shape
    plain = umwelt.Env(world)
    plain.reset(4)
    np.testing.assert_array_equal(first, plain.render(32) if observation == "pixels" else plain.state)
    _, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert np.isfinite([reward, info["distance"]]).all() and not truncated
    assert env.render().shape == (32, 32, 3)


def test_the_goal_ends_the_episode():
    env = gymnasium.make("umwelt/two_room-v0", size=32)
    _, info = env.reset(seed=1)
    _, info = env.reset(seed=1, options={"state": info["goal_state"]})
    assert env.step(np.zeros(2, np.float32))[2]


def test_own_sequence_of_episodes():
    env = umwelt.gym.WorldEnv(observation="state")
    first = [env.reset(seed=3)[0], env.reset()[0], env.reset()[0]]
    again = [env.reset(seed=3)[0], env.reset()[0], env.reset()[0]]
    np.testing.assert_array_equal(first, again)
    assert (first[1] != first[2]).any()
    with pytest.raises(umwelt.UmweltError, match="pixels or state"):
        umwelt.gym.WorldEnv(observation="sound")
