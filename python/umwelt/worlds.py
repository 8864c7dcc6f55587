"""Worlds: reset, step, observe, draw, with their factors of variation."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

import numpy as np

from ._abi import UmweltError, array, check, ffi, floats, lib, new_err, pointer, text, word


def worlds() -> list[str]:
    """The names of all worlds."""
    names, out = lib.uw_env_names(), []
    while names[len(out)] != ffi.NULL:
        out.append(text(names[len(out)]))
    return out


@dataclass(frozen=True)
class Factor:
    """One factor of variation: `kind` is "color", "real" or "int"; low, high and init are [dim]."""

    kind: str
    low: np.ndarray
    high: np.ndarray
    init: np.ndarray
    unit: str
    placed: bool  # a start or a goal: drawn at reset unless it is fixed


@dataclass(frozen=True)
class Step:
    """What one step gave; clipped: an action number was outside [-1, 1]."""

    reward: float
    success: bool
    distance: float
    clipped: bool


class Env:
    """One instance of a world, e.g. Env("two_room"); reset it before anything else."""

    def __init__(self, name: str) -> None:
        out, err = ffi.new("uw_env **"), new_err()
        check(lib.uw_env_new(name.encode(), out, err), err)
        self._handle = ffi.gc(out[0], lib.uw_env_free)
        self._class = c = lib.uw_env_class_of(self._handle)
        self.name, self.action_dim, self.state_dim = name, c.action_dim, c.state_dim
        self.state_names = [text(c.state_names[i]) for i in range(c.state_dim)]
        self.factors = {text(f.name): _factor(f) for f in (c.factors[i] for i in range(c.num_factors))}

    def reset(self, seed: int = 0, variation: Iterable[str] = ()) -> None:
        """Start the episode of a seed; variation: "NAME=VALUE" or "NAME~sample" each, as on the command line."""
        v, err = ffi.new("uw_variation *"), new_err()
        for one in variation:
            check(lib.uw_variation_parse(self._class, one.encode(), v, err), err)
        values = ffi.new("double[]", max(1, self._class.num_values))
        fixed = ffi.new("bool[]", max(1, self._class.num_factors))
        check(lib.uw_variation_resolve(self._class, v, seed, 0, values, fixed, err), err)
        check(lib.uw_env_reset(self._handle, seed, values, fixed, err), err)

    def step(self, action: Any) -> Step:
        """Take an action float [action_dim] in [-1, 1]."""
        a, out = array("action", action, np.float32, self.action_dim), ffi.new("uw_step *")
        check(lib.uw_env_step(self._handle, floats(a), out), what="action")
        return Step(out.reward, out.success, out.distance, out.clipped)

    @property
    def steps(self) -> int:
        """Steps since the reset."""
        return lib.uw_env_steps(self._handle)

    @property
    def state(self) -> np.ndarray:
        """float64 [state_dim], a copy; may be set."""
        return self._read(lib.uw_env_get_state)

    @state.setter
    def state(self, value: Any) -> None:
        check(lib.uw_env_set_state(self._handle, _doubles(self._state("state", value))), what="state")

    @property
    def goal(self) -> np.ndarray:
        """The goal as a state, a copy; may be set."""
        return self._read(lib.uw_env_get_goal)

    @goal.setter
    def goal(self, value: Any) -> None:
        check(lib.uw_env_set_goal(self._handle, _doubles(self._state("goal", value))), what="goal")

    def render(self, size: int) -> np.ndarray:
        """The picture now, uint8 [size, size, 3]."""
        return self._draw(lib.uw_env_render, size)

    def render_goal(self, size: int) -> np.ndarray:
        """The picture of the goal."""
        return self._draw(lib.uw_env_render_goal, size)

    def oracle(self) -> np.ndarray:
        """The scripted action towards the goal."""
        a = np.empty(self.action_dim, np.float32)
        self._class.oracle(lib.uw_env_self(self._handle), floats(a))
        return a

    def save(self) -> bytes:
        """Everything that decides the future of this episode."""
        snapshot = np.empty(lib.uw_env_snapshot_bytes(self._handle), np.uint8)
        lib.uw_env_save(self._handle, pointer(snapshot, writable=True))
        return snapshot.tobytes()

    def restore(self, snapshot: bytes) -> None:
        """Continue from a snapshot of the same world, to the same bits."""
        err = new_err()
        check(lib.uw_env_restore(self._handle, ffi.from_buffer(snapshot), len(snapshot), err), err)

    def _read(self, get: Any) -> np.ndarray:
        out = np.empty(self.state_dim, np.float64)
        get(self._handle, _doubles(out))
        return out

    def _state(self, what: str, value: Any) -> np.ndarray:
        return array(what, value, np.float64, self.state_dim)

    def _draw(self, draw: Any, size: int) -> np.ndarray:
        if not 1 <= size <= lib.UW_MAX_FRAME_SIZE:
            raise UmweltError("EINVAL", f"size: wanted 1 to {lib.UW_MAX_FRAME_SIZE} pixels, got {size}")
        rgb = np.empty((size, size, 3), np.uint8)
        draw(self._handle, size, ffi.cast("uint8_t *", pointer(rgb)))
        return rgb


def _doubles(a: np.ndarray) -> Any:
    return ffi.cast("double *", pointer(a))


def _factor(f: Any) -> Factor:
    def numbers(c: Any) -> np.ndarray:
        return np.array([c[i] for i in range(f.dim)])
    return Factor(word("uw_factor_kind", f.kind), numbers(f.low), numbers(f.high), numbers(f.init), text(f.unit), f.placed)
