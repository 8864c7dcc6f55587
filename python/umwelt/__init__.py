"""umwelt: world models learned from logs, planned with and acted on.

    model = umwelt.Model.load("model.safetensors")
    z = model.encode(frames)                            # uint8 [n, Y, X, 3] -> float32 [n, D]
    planner = umwelt.Planner(model, horizon=16, num_samples=128)
    plan, info = planner.plan(z[0], z[-1])              # [H, A] in the world's units

Arrays go in and out as NumPy; a contiguous array of the right type is used where it lies.  What the library refuses
raises UmweltError with code, what and fix.
"""
from ._abi import UmweltError, lib as _lib, text as _text
from .dataset import Column, Dataset
from .model import Context, Dynamics, Model, default_context
from .planning import RELEASED, ActInfo, Controller, PlanInfo, Planner
from .policy import Policy
from .worlds import Env, Factor, Step, worlds

__version__ = _text(_lib.uw_version())
__all__ = ["ActInfo", "Column", "Context", "Controller", "Dataset", "Dynamics", "Env", "Factor", "Model", "PlanInfo",
           "Planner", "Policy", "RELEASED", "Step", "UmweltError", "default_context", "worlds"]
