"""Our worlds as gymnasium environments: gymnasium.make("umwelt/two_room-v0", size=64) after `import umwelt.gym`."""
from __future__ import annotations

from typing import Any, Iterable

import gymnasium
import numpy as np

from ._abi import UmweltError
from .worlds import Env, worlds


class WorldEnv(gymnasium.Env):
    """A world under gymnasium's rules.

    observation: "pixels" (uint8 [size, size, 3]) or "state" (float64 [state_dim]); info["goal"] is the goal of the
    same kind, info["state"] and info["goal_state"] are the numbers, info["distance"] is in the world's units.
    variation: factors as "NAME=VALUE" or "NAME~sample"; an episode ends when the goal is reached.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, world: str = "two_room", observation: str = "pixels", size: int = 64,
                 variation: Iterable[str] = (), render_mode: str | None = None) -> None:
        if observation not in ("pixels", "state"):
            raise UmweltError("EINVAL", f"observation: wanted pixels or state, got {observation!r}")
        if render_mode not in (None, "rgb_array"):
            raise UmweltError("EINVAL", f"render_mode: wanted rgb_array, got {render_mode!r}")
        self.world, self.size, self.render_mode = Env(world), size, render_mode
        self._pixels, self._variation = observation == "pixels", tuple(variation)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self.world.action_dim,), np.float32)
        self.observation_space = (
            gymnasium.spaces.Box(0, 255, (size, size, 3), np.uint8) if self._pixels
            else gymnasium.spaces.Box(-np.inf, np.inf, (self.world.state_dim,), np.float64))

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Start an episode: that of `seed`, or the next of the own sequence.

        options: "variation" instead of the environment's own; "state" and "goal" to set after the reset.
        """
        super().reset(seed=seed)
        options = options or {}
        episode = seed if seed is not None else int(self.np_random.integers(2**63))
        self.world.reset(episode, options.get("variation", self._variation))
        if "goal" in options:
            self.world.goal = options["goal"]
        if "state" in options:
            self.world.state = options["state"]
        self._goal = self.world.render_goal(self.size) if self._pixels else self.world.goal
        return self._observation(), self._info(None)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        told = self.world.step(action)
        return self._observation(), told.reward, told.success, False, self._info(told.distance)

    def render(self) -> np.ndarray | None:
        return self.world.render(self.size) if self.render_mode else None

    def _observation(self) -> np.ndarray:
        return self.world.render(self.size) if self._pixels else self.world.state

    def _info(self, distance: float | None) -> dict:
        info = {"goal": self._goal.copy(), "state": self.world.state, "goal_state": self.world.goal}
        return info if distance is None else {**info, "distance": distance}


for _world in worlds():
    gymnasium.register(f"umwelt/{_world}-v0", entry_point=WorldEnv, kwargs={"world": _world})
