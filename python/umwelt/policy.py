"""A policy that stable-worldmodel's World.evaluate drives as if it were its own: receding-horizon planning for many
environments at once, by the released rules.  Needs neither that package nor torch."""
from __future__ import annotations

from collections import deque
from typing import Any, Mapping

import numpy as np

from ._abi import UmweltError
from .model import Model
from .planning import RELEASED, Planner


class Policy:
    """Plan `horizon` decisions from one frame, execute all of them, plan again.

    draws: a mapping (or .npz file) of recorded standard-normal draws, one array `solveK` [calls, 1, N, H, A] per
    call of get_action that planned, K counted from 0; calls go environment by environment, each with all its
    iterations.  None: the planner's own draws, a function of seed.
    options: fields of uw_planner_options that differ from the released planner.
    """

    def __init__(self, model: Model, *, draws: Any = None, **options: Any) -> None:
        self.model = model
        self.planner = Planner(model, normalised=True, **{**RELEASED, **options})
        self._draws = np.load(draws) if isinstance(draws, (str, bytes)) or hasattr(draws, "__fspath__") else draws
        if self._draws is not None and not isinstance(self._draws, Mapping):
            raise UmweltError("EINVAL", f"draws: wanted a mapping or an .npz file, got {type(self._draws).__name__}")
        self.env: Any = None

    def set_env(self, env: Any) -> None:
        """Get ready for a vector of environments; called by World.set_policy."""
        width, wanted = env.single_action_space.shape[-1], self.model.config["action_dim"]
        if width != wanted:
            raise UmweltError("ESHAPE", f"env: action numbers, wanted {wanted} as the model, got {width}")
        self.env = env
        self._buffers: list[deque] = [deque() for _ in range(env.num_envs)]
        self._solves = 0
        self.planner.reset()

    def get_action(self, infos: Mapping, **_: Any) -> np.ndarray:
        """The next action of every environment in the world's units; NaN where the environment has terminated.

        infos: `pixels` and `goal` uint8 [E, T, Y, X, 3], of which the last frames count; `terminated` and
        `_needs_flush` [E] where the world has them.  Returns float32 [E, action].
        """
        if self.env is None:
            raise UmweltError("EINVAL", "policy: no environment yet", "call set_env(env) first")
        count = self.env.num_envs
        dead, flush = _flags(infos, "terminated", count), _flags(infos, "_needs_flush", count)
        for i in np.flatnonzero(flush):
            self._buffers[i].clear()
        todo = [i for i in range(count) if not self._buffers[i] and not dead[i]]
        if todo:
            self._solve(infos, todo)
        z = np.full((count, self.model.config["action_dim"]), np.nan, np.float32)
        for i in np.flatnonzero(~dead):
            z[i] = self._buffers[i].popleft()
        mean, std = self.model.action_normaliser
        return (z * std + mean).reshape(self.env.action_space.shape)

    def _solve(self, infos: Mapping, todo: list[int]) -> None:
        """Fill the buffers of environments `todo` with new plans of z-scored env actions."""
        starts = self.model.encode(self._frames(infos, "pixels", todo))
        goals = self.model.encode(self._frames(infos, "goal", todo))
        draws = None if self._draws is None else self._recorded(len(todo))
        for k, i in enumerate(todo):
            if draws is not None:
                self.planner.set_noise(draws[k].__getitem__)
            plan, _ = self.planner.plan(starts[k], goals[k])
            self._buffers[i].extend(plan.reshape(-1, self.model.config["action_dim"]))
        self._solves += 1

    def _recorded(self, envs: int) -> np.ndarray:
        """This solve's draws as [envs, iterations, N, H, A]."""
        name = f"solve{self._solves}"
        if name not in self._draws:
            raise UmweltError("ENOTFOUND", f"draws: no {name}, there are {len(self._draws)} solves",
                              "record them from the same episodes and settings")
        a, o = np.asarray(self._draws[name]), self.planner._options
        wanted = (envs * o.iters, 1, o.num_samples, *self.planner.plan_shape)
        if a.shape != wanted:
            raise UmweltError("ESHAPE", f"draws: {name}, wanted {list(wanted)}, got {list(a.shape)}",
                              "samples, iterations and environments must be those of the recording")
        return a.reshape(envs, o.iters, *wanted[2:])

    def _frames(self, infos: Mapping, key: str, todo: list[int]) -> np.ndarray:
        """The last frames of environments `todo`: [len(todo), Y, X, 3]."""
        if key not in infos:
            raise UmweltError("ENOTFOUND", f"infos: no {key!r}, there are {', '.join(map(str, infos))}")
        frames, size = np.asarray(infos[key]), self.model.image_size
        if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[2:] != (size, size, 3):
            raise UmweltError("ESHAPE", f"infos: {key}, wanted uint8 [envs, time, {size}, {size}, 3], "
                              f"got {frames.dtype} {list(frames.shape)}", f"make the World with image_shape=({size}, {size})")
        return frames[todo, -1]


def _flags(infos: Mapping, key: str, count: int) -> np.ndarray:
    given = infos.get(key)
    return np.zeros(count, bool) if given is None else np.asarray(given, bool).reshape(count, -1)[:, -1]
