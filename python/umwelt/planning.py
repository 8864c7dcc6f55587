"""Planning: search action sequences in a model, once (`Planner`) or in a loop that may be trusted (`Controller`)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from ._abi import aligned, array, check, ffi, fill, floats, lib, pointer, word
from .model import Dynamics, Model

#: The released LeWM planner: CEM on z-scored actions, neither clipped nor floored, the elites' n - 1 deviation, the
#: mean returned without a look at what it costs.  Give it to a `Planner` together with normalised=True.
RELEASED = {"solver": "cem", "objective": "last", "horizon": 5, "num_samples": 300, "num_elites": 30, "iters": 30,
            "keep_elites": 0, "init_std": 1.0, "min_std": 0.0, "noise_ar": 0.0, "sample_std": True,
            "unbounded": True, "warm_start": False, "compat": True}


@dataclass(frozen=True)
class PlanInfo:
    """How one plan went; a deadline that was hit is an outcome, not an error."""

    iters: int
    deadline_hit: bool
    best_cost: float
    elite_cost_spread: float
    seconds: float


@dataclass(frozen=True)
class ActInfo:
    """Why the controller gave the action it gave: "planned", "deadline", "safe_observation" or "safe_plan"."""

    reason: str
    plan: PlanInfo
    goal_distance: float
    seconds: float


def _plan_info(c: Any) -> PlanInfo:
    return PlanInfo(c.iters, c.deadline_hit, c.best_cost, c.elite_cost_spread, c.seconds)


def planner_options(**options: Any) -> Any:
    """uw_planner_options with the library's defaults and what differs from them, by name; words for enums."""
    return fill(ffi.new("uw_planner_options *", lib.uw_planner_options_default()), options)


class Planner:
    """Search the cheapest way from latents to a goal latent.

    normalised: plan in z-scored actions instead of the world's units; options: fields of uw_planner_options,
    e.g. solver="icem", horizon=16, num_samples=128, deadline_s=0.02.
    """

    def __init__(self, model: Model, *, normalised: bool = False, **options: Any) -> None:
        self._options = o = planner_options(**options)
        self.dynamics = Dynamics(model, o.num_samples, o.horizon, normalised=normalised,
                                 gradient=lib.uw_solver_needs_gradient(o.solver))
        size = lib.uw_planner_memsize(ffi.addressof(self.dynamics._struct, "dims"), o)
        self._memory, out = aligned(size, "planner"), ffi.new("uw_planner **")
        check(lib.uw_planner_init(self.dynamics._struct, o, pointer(self._memory), size, out), what="planner")
        self._handle = out[0]
        self.plan_shape = (o.horizon, model.action_dim)
        self._noise: Any = None
        self._noise_failure: BaseException | None = None

    def reset(self, stream: int = 0) -> None:
        """Forget the warm start and start the noise sequence of an episode's number."""
        lib.uw_planner_reset(self._handle, stream)

    def set_noise(self, draws: Callable[[int], Any] | None) -> None:
        """Take the draws [N, H, W] of iteration i (from 0) from draws(i); None: the planner's own.

        Standard normal, W = action_dim; of discrete actions weights of choices, uniform for categorical.
        """
        if draws is None:
            self._noise = None
            lib.uw_planner_set_noise(self._handle, ffi.NULL, ffi.NULL)
            return
        horizon, width = self.plan_shape
        if self._options.solver in (lib.UW_SOLVER_PGD, lib.UW_SOLVER_CATEGORICAL):
            one = self._options.choice_dim or width
            width = width // one * (2 * one + 1)
        shape = (self._options.num_samples, horizon, width)

        def give(_cookie: Any, iteration: int, noise: Any) -> int:
            try:
                a = array(f"draws of iteration {iteration}", draws(iteration), np.float32, *shape)
                ffi.memmove(noise, a, a.nbytes)
                return lib.UW_OK
            except BaseException as e:  # a callback cannot raise through C: _plan does
                self._noise_failure = e
                return lib.UW_EINVAL

        self._noise = ffi.callback("uw_status(void *, int32_t, float *)", give)
        lib.uw_planner_set_noise(self._handle, self._noise, ffi.NULL)

    def plan(self, z0: Any, goal: Any, past: Any = None) -> tuple[np.ndarray, PlanInfo]:
        """Plan float32 [H, A] from z0 ([D] or [history, D], then with past [history - 1, A]) to goal [D]."""
        z, p = self.dynamics.history(z0, past)
        g = array("goal", goal, np.float32, self.dynamics.model.latent_dim)
        out, info = np.empty(self.plan_shape, np.float32), ffi.new("uw_plan_info *")
        self._noise_failure = None
        status = lib.uw_planner_plan(self._handle, floats(z), len(z), floats(p), floats(g), floats(out), info)
        if self._noise_failure is not None:
            raise self._noise_failure
        check(status, what="plan")
        return out, _plan_info(info)

    def imagine(self, z0: Any, plan: Any, past: Any = None) -> np.ndarray:
        """Latents [H, D] that a plan leads to, in the model's imagination."""
        return self.dynamics.rollout(z0, array("plan", plan, np.float32, *self.plan_shape), past)


class Controller:
    """Observation in, action out: history, warm start, deadline, checks and a safe action.

    options: fields of uw_planner_options; safe_action [A]: given when no plan can be trusted, zeros if None;
    max_change: the most change per number between two actions, 0 = no limit.
    """

    def __init__(self, model: Model, *, safe_action: Any = None, max_change: float = 0.0, **options: Any) -> None:
        self.model = model
        o = ffi.new("uw_controller_options *", {"planner": planner_options(**options)[0], "max_change": max_change})
        safe = None if safe_action is None else array("safe_action", safe_action, np.float32, model.action_dim)
        o.safe_action = floats(safe)
        self._dynamics = Dynamics(model, o.planner.num_samples, o.planner.horizon,
                                  gradient=lib.uw_solver_needs_gradient(o.planner.solver))
        size = lib.uw_controller_memsize(ffi.addressof(self._dynamics._struct, "dims"), o)
        self._memory, out = aligned(size, "controller"), ffi.new("uw_controller **")
        check(lib.uw_controller_init(self._dynamics._struct, o, pointer(self._memory), size, out), what="controller")
        self._handle = out[0]

    def reset(self, stream: int = 0) -> None:
        """Start an episode: clear history and warm start; stream numbers its noise."""
        lib.uw_controller_reset(self._handle, stream)

    def set_goal(self, observation: Any) -> None:
        x = self._observation(observation)
        check(lib.uw_controller_set_goal(self._handle, pointer(x)), what="goal")

    def act(self, observation: Any) -> tuple[np.ndarray, ActInfo]:
        """The next action float32 [A], always finite and within bounds.

        Where the observation or every plan is not finite the safe action is given, and the reason says so.
        """
        x = self._observation(observation)
        action, info = np.empty(self.model.action_dim, np.float32), ffi.new("uw_act_info *")
        status = lib.uw_controller_act(self._handle, pointer(x), floats(action), info)
        reason = word("uw_act_reason", info.reason)
        if status != lib.UW_ENONFINITE:
            check(status, what="act")
        return action, ActInfo(reason, _plan_info(info.plan), info.goal_distance, info.seconds)

    def _observation(self, given: Any) -> np.ndarray:
        c = self.model.config
        if c["input"] == "columns":
            return array("observation", given, np.float32, c["observe_dim"])
        return array("observation", given, np.uint8, c["image_size"], c["image_size"], 3)
