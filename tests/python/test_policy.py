"""The policy's bookkeeping, with a stand-in for the vector of environments: no torch, no simulator."""
from types import SimpleNamespace

import numpy as np
import pytest

import umwelt
import umwelt.peers

ENVS, SAMPLES, ITERATIONS = 3, 8, 2


def vector_env(actions=2):
    return SimpleNamespace(num_envs=ENVS, single_action_space=SimpleNamespace(shape=(actions,)),
                           action_space=SimpleNamespace(shape=(ENVS, actions)))


def infos(frames, **more):
    return {"pixels": frames[:ENVS, None], "goal": frames[3:3 + ENVS, None], **more}


def draws(solves, envs=ENVS):
    rng = np.random.default_rng(0)
    return {f"solve{k}": rng.standard_normal((envs * ITERATIONS, 1, SAMPLES, 5, 10), np.float32) for k in range(solves)}


def make(file, given):
    policy = umwelt.peers.make(file, draws=given, samples=SAMPLES, iterations=ITERATIONS)
    policy.set_env(vector_env())
    return policy


def test_plans_are_executed_whole(scaled_file, frames, tmp_path):
    np.savez(tmp_path / "d.npz", **draws(2))
    policy = make(scaled_file, tmp_path / "d.npz")
    actions = [policy.get_action(infos(frames)) for _ in range(26)]
    assert all(a.shape == (ENVS, 2) and a.dtype == np.float32 and np.isfinite(a).all() for a in actions)
    planner, given = policy.planner, draws(2)["solve0"].reshape(ENVS, ITERATIONS, SAMPLES, 5, 10)
    z = policy.model.encode(frames[[1, 4]])
    planner.set_noise(given[1].__getitem__)
    plan, _ = planner.plan(z[0], z[1])
    want = plan.reshape(25, 2) * np.float32([0.5, 2]) + np.float32([0.25, -0.5])
    np.testing.assert_allclose(np.stack(actions)[:25, 1], want, atol=1e-5)
    with pytest.raises(umwelt.UmweltError, match="no solve2"):
        for _ in range(25):
            policy.get_action(infos(frames))


def test_terminated_environments_get_nan_and_no_plan(tiny_file, frames):
    policy = make(tiny_file, {**draws(1), "solve1": draws(2, ENVS - 1)["solve1"]})
    policy.get_action(infos(frames))
    dead = np.array([[False], [True], [False]])
    for _ in range(25):
        a = policy.get_action(infos(frames, terminated=dead))
        assert np.isnan(a[1]).all() and np.isfinite(a[[0, 2]]).all()


def test_flush_plans_again(tiny_file, frames):
    policy = make(tiny_file, None)
    policy.get_action(infos(frames))
    policy.get_action(infos(frames, _needs_flush=np.array([False, True, False])))
    assert [len(b) for b in policy._buffers] == [23, 24, 23]


def test_own_draws_start_over_with_the_world(tiny_file, frames):
    policy = make(tiny_file, None)
    first = policy.get_action(infos(frames))
    policy.set_env(vector_env())
    np.testing.assert_array_equal(first, policy.get_action(infos(frames)))


def test_refusals(tiny_file, frames):
    policy = umwelt.peers.make(tiny_file)
    with pytest.raises(umwelt.UmweltError, match="set_env"):
        policy.get_action(infos(frames))
    with pytest.raises(umwelt.UmweltError, match="wanted 2 as the model, got 3"):
        policy.set_env(vector_env(3))
    policy.set_env(vector_env())
    with pytest.raises(umwelt.UmweltError, match="image_shape=\\(56, 56\\)"):
        policy.get_action(infos(frames[:, ::2, ::2]))
    with pytest.raises(umwelt.UmweltError, match="no 'goal'"):
        policy.get_action({"pixels": frames[:ENVS, None]})
    with pytest.raises(umwelt.UmweltError, match=r"draws: solve0, wanted \[6, 1, 8, 5, 10\], got \[4, 1, 8, 5, 10\]"):
        make(tiny_file, draws(1, ENVS - 1)).get_action(infos(frames))
