"""Factories for harnesses that name a policy as MODULE:FUNCTION with options, as `umwelt.peers:make`."""
from __future__ import annotations

from typing import Any

from .model import Context, Model
from .policy import Policy


def make(model: Any, draws: Any = None, samples: int = 300, iterations: int = 30, elites: int | None = None,
         seed: int = 0, threads: int = 0) -> Policy:
    """A policy by the released evaluation: CEM over 5 decisions, all executed.

    model: a .safetensors file with its action normaliser; draws: an .npz file of recorded draws (see Policy);
    elites: min(30, samples // 2) when None.
    """
    loaded = Model.load(model, Context(threads))
    elites = min(30, samples // 2) if elites is None else elites
    return Policy(loaded, draws=draws, num_samples=samples, num_elites=elites, iters=iterations, seed=seed)
