"""Worlds from Python: episodes repeat, states and snapshots come back, pictures show them, refusals speak."""
import numpy as np
import pytest

import umwelt


@pytest.fixture(params=umwelt.worlds())
def env(request):
    return umwelt.Env(request.param)


def test_an_episode_repeats(env):
    runs = []
    for _ in range(2):
        env.reset(5)
        picture = env.render(48)
        steps = [env.step(np.sin(np.arange(env.action_dim) + t)) for t in range(20)]
        runs.append((picture, env.state, steps))
    assert (runs[0][0] == runs[1][0]).all() and (runs[0][1] == runs[1][1]).all() and runs[0][2] == runs[1][2]
    assert env.steps == 20
    env.reset(6)
    assert (env.state != runs[0][1]).any()


def test_state_goal_and_pictures(env):
    env.reset(1)
    start, goal = env.state, env.goal
    assert start.dtype == np.float64 and start.shape == (env.state_dim,) == (len(env.state_names),)
    target = env.render_goal(64)
    assert target.dtype == np.uint8 and target.shape == (64, 64, 3) and (env.render(64) != target).any()
    env.reset(2)
    env.goal, env.state = goal, start
    np.testing.assert_allclose(env.state, start)
    np.testing.assert_array_equal(env.goal, goal)


def test_a_snapshot_continues_to_the_same_bits(env):
    env.reset(3)
    env.step(np.full(env.action_dim, 0.5))
    snapshot = env.save()
    first = [env.step(np.full(env.action_dim, 0.3)) for _ in range(10)], env.state
    other = umwelt.Env(env.name)
    other.reset(0)
    other.restore(snapshot)
    again = [other.step(np.full(env.action_dim, 0.3)) for _ in range(10)], other.state
    assert first[0] == again[0] and (first[1] == again[1]).all()
    with pytest.raises(umwelt.UmweltError):
        other.restore(b"no snapshot")


def test_the_oracle_gets_there():
    env, reached = umwelt.Env("two_room"), 0
    for seed in range(10):
        env.reset(seed)
        reached += any(env.step(env.oracle()).success for _ in range(100))
    assert reached == 10


def test_variations():
    env = umwelt.Env("two_room")
    assert env.factors["agent.color"].kind == "color" and env.factors["agent.color"].low.shape == (3,)
    env.reset(1)
    plain = env.render(64)
    env.reset(1, ["agent.color=#00ff00"])
    green = env.render(64)
    assert (green[..., 1] > green[..., 0] + 100.0).any() and not (plain[..., 1] > plain[..., 0] + 100.0).any()
    with pytest.raises(umwelt.UmweltError, match="did you mean"):
        env.reset(1, ["agent.colour=#00ff00"])


def test_refusals(env):
    env.reset(0)
    before = env.state
    for call, code in [(lambda: env.step(np.zeros(env.action_dim + 1)), "ESHAPE"), (lambda: env.render(0), "EINVAL"),
                       (lambda: env.step(np.full(env.action_dim, np.nan)), "ENONFINITE")]:
        with pytest.raises(umwelt.UmweltError) as e:
            call()
        assert e.value.code == code
    np.testing.assert_array_equal(env.state, before)
    with pytest.raises(umwelt.UmweltError, match="two_room"):
        umwelt.Env("two_rooms")
