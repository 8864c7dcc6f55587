"""Planning from Python: the recorded search repeated, own draws, options and refusals, the controller."""
import json

import numpy as np
import pytest

import umwelt

SMALL = {"horizon": 3, "num_samples": 32, "num_elites": 6, "iters": 3}


def test_cem_repeats_the_recorded_search(tiny, golden):
    recorded, inputs = golden("solvers/cem_lewm_tiny"), golden("lewm_tiny/inputs")
    cem, noise = json.loads(recorded.meta["cem"]), recorded["cem.noise"]
    planner = umwelt.Planner(tiny, normalised=True, **{
        **umwelt.RELEASED, "horizon": noise.shape[3], "num_samples": cem["num_samples"], "iters": cem["n_steps"],
        "num_elites": cem["topk"]})
    for env, window in enumerate(inputs["pixels"][:len(noise)]):
        z = tiny.encode(window)
        planner.set_noise(noise[env].__getitem__)
        plan, info = planner.plan(z[0], z[-1])
        np.testing.assert_allclose(plan, recorded["cem.actions"][env], atol=2e-5)
        assert info.iters == cem["n_steps"] and not info.deadline_hit


def test_own_draws_repeat_and_differ(tiny, frames):
    z, planner = tiny.encode(frames[:2]), umwelt.Planner(tiny, **SMALL)
    planner.reset(1)
    first, info = planner.plan(z[0], z[1])
    planner.reset(1)
    again, _ = planner.plan(z[0], z[1])
    planner.reset(2)
    other, _ = planner.plan(z[0], z[1])
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and np.abs(first).max() <= 1 and info.best_cost > 0
    assert planner.imagine(z[0], first).shape == (3, tiny.latent_dim)


def test_draws_that_fail_raise_what_they_raised(tiny, frames):
    z, planner = tiny.encode(frames[:2]), umwelt.Planner(tiny, **SMALL)
    planner.set_noise(lambda i: [][i])
    with pytest.raises(IndexError):
        planner.plan(z[0], z[1])
    planner.set_noise(lambda i: np.zeros((32, 3, 9)))
    with pytest.raises(umwelt.UmweltError, match=r"draws of iteration 0: shape, wanted \[32, 3, 10\]"):
        planner.plan(z[0], z[1])
    planner.set_noise(None)
    planner.plan(z[0], z[1])


@pytest.mark.parametrize("solver", ["mppi", "predictive", "gradient", "pgd", "categorical", "lagrangian"])
def test_every_solver_plans(tiny, frames, solver):
    z = tiny.encode(frames[:2])
    planner = umwelt.Planner(tiny, solver=solver, choice_dim=2, **SMALL)
    plan, info = planner.plan(z[0], z[1])
    moved, stayed = (planner.imagine(z[0], p) - z[1] for p in (plan, np.zeros_like(plan)))
    assert np.abs(plan).max() <= 1 and info.iters == SMALL["iters"] * (5 if solver == "lagrangian" else 1)
    np.testing.assert_allclose((moved ** 2).sum(), info.best_cost, rtol=1e-3)
    assert info.best_cost <= (stayed ** 2).sum() * 1.001
    if solver in ("pgd", "categorical"):
        assert set(np.unique(plan)) <= {-1, 0, 1}
        planner.set_noise(lambda i: np.full((32, 3, 25), 0.5))
        planner.plan(z[0], z[1])


def test_options_are_named_and_checked(tiny):
    with pytest.raises(umwelt.UmweltError, match="did you mean 'num_samples'"):
        umwelt.Planner(tiny, num_sample=3)
    with pytest.raises(umwelt.UmweltError, match="solver: wanted one of cem, icem, mppi, .*, got 'cme' .*did you mean 'cem'"):
        umwelt.Planner(tiny, solver="cme")
    with pytest.raises(umwelt.UmweltError, match="horizon"):
        umwelt.Planner(tiny, horizon="long")
    with pytest.raises(umwelt.UmweltError, match="out of range"):
        umwelt.Planner(tiny, iters=0)


def test_not_finite(tiny):
    planner = umwelt.Planner(tiny, **SMALL)
    with pytest.raises(umwelt.UmweltError) as e:
        planner.plan(np.full(tiny.latent_dim, np.nan), np.zeros(tiny.latent_dim))
    assert e.value.code == "ENONFINITE"


def test_controller(tiny, frames):
    controller = umwelt.Controller(tiny, safe_action=np.full(10, 0.5), max_change=0.75, **SMALL)
    with pytest.raises(umwelt.UmweltError):
        controller.act(frames[0])  # no goal yet
    controller.set_goal(frames[3])
    action, info = controller.act(frames[0])
    assert action.shape == (10,) and np.isfinite(action).all() and info.reason == "planned" and info.plan.iters == 3
    second, _ = controller.act(frames[1])
    assert np.abs(second - action).max() <= 0.75 + 1e-6
    slow = umwelt.Controller(tiny, **{**SMALL, "iters": 1000, "deadline_s": 1e-4})
    slow.set_goal(frames[3])
    assert slow.act(frames[0])[1].reason == "deadline"
