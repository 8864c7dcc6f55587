"""The context and the model: load, look at, encode with, roll out."""
from __future__ import annotations

from typing import Any

import numpy as np

from ._abi import (DTYPES, UmweltError, aligned, array, as_dict, check, ffi, floats, lib, new_err, parse,
                   path_bytes, pointer, text, view)


class Context:
    """Threads and kernels that computations share.

    threads: workers, the caller included, 0 = all cores; max_isa: "ref", "avx2", "avx512", "avx512bf16",
    "amx", "neon", None = the best.
    """

    def __init__(self, threads: int = 0, max_isa: str | None = None) -> None:
        isa = ffi.NULL if max_isa is None else ffi.new("char[]", max_isa.encode())
        options = ffi.new("uw_context_options *", {"num_threads": threads, "max_isa": isa})
        out, err = ffi.new("uw_context **"), new_err()
        check(lib.uw_context_new(options, out, err), err)
        self._handle = ffi.gc(out[0], lib.uw_context_free)

    @property
    def threads(self) -> int:
        return lib.uw_context_threads(self._handle)

    @property
    def isa(self) -> str:
        return text(lib.uw_context_isa(self._handle))


_default: list[Context] = []


def default_context() -> Context:
    """The context that is used where none is given: all cores, made when first needed."""
    if not _default:
        _default.append(Context())
    return _default[0]


class Model:
    """An immutable world model from a safetensors file."""

    def __init__(self, handle: Any, context: Context) -> None:
        self._handle, self.context = handle, context
        self.config: dict = as_dict(lib.uw_model_config_of(handle))
        self.provenance: dict = as_dict(lib.uw_model_provenance(handle))

    @classmethod
    def load(cls, path: Any, context: Context | None = None) -> "Model":
        """Load and check a model; UmweltError says what is wrong with a file that is not one."""
        out, err = ffi.new("uw_model **"), new_err()
        check(lib.uw_model_load(path_bytes(path), out, err), err)
        return cls(ffi.gc(out[0], lib.uw_model_unload), context or default_context())

    @classmethod
    def from_checkpoint(cls, weights: Any, config: Any = None, *, normaliser: tuple | None = None,
                        frameskip: int = 0, context: Context | None = None) -> "Model":
        """A model from a state dict of stable-worldmodel's LeWM (.pt or .safetensors); nothing in it is executed.

        config: its config.json, None = the one beside the weights; normaliser: mean and std of the actions, which such
        files do not hold (`Dataset.normaliser`), None = actions are z-scored already; frameskip: 0 = 5, as published.
        """
        options = ffi.new("uw_import_options *", {"frameskip": frameskip})
        kept = []  # what options points to
        if config is not None:
            kept.append(ffi.new("char[]", path_bytes(config)))
            options.config = kept[-1]
        out, err = ffi.new("uw_model **"), new_err()
        if normaliser is not None:
            width = ffi.new("int32_t *")
            check(lib.uw_model_import_action_dim(path_bytes(weights), options, width, err), err)
            mean, std = (array(n, v, np.float32, width[0]) for n, v in zip(("mean", "std"), normaliser))
            options.action_mean, options.action_std = floats(mean), floats(std)
        check(lib.uw_model_import(path_bytes(weights), options, out, err), err)
        return cls(ffi.gc(out[0], lib.uw_model_unload), context or default_context())

    def save(self, path: Any, overwrite: bool = False) -> None:
        """Write the one file that can act: configuration, weights, normalisers, provenance."""
        err = new_err()
        check(lib.uw_model_save(self._handle, path_bytes(path), overwrite, err), err)

    def export_checkpoint(self, path: Any, layout: int = 4, overwrite: bool = False) -> None:
        """Write a LeWM as the reference keeps one: a state dict (.pt) and config.json in the same folder.

        layout: names as transformers 4 (all published checkpoints) or 5 has them.
        """
        err = new_err()
        check(lib.uw_model_export(self._handle, path_bytes(path), parse("uw_key_layout", str(layout)), overwrite, err), err)

    @property
    def latent_dim(self) -> int:
        return self.config["latent_dim"]

    @property
    def action_dim(self) -> int:
        """Numbers per decision: `frameskip` env actions, one after the other."""
        return self.config["action_dim"] * self.config["frameskip"]

    @property
    def image_size(self) -> int:
        return self.config["image_size"]

    @property
    def num_parameters(self) -> int:
        return lib.uw_model_num_parameters(self._handle)

    @property
    def sha256(self) -> str:
        """Over all tensors: name, type, shape, bytes."""
        hex64 = ffi.new("char[65]")
        lib.uw_model_sha256(self._handle, hex64)
        return text(hex64)

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """Every tensor by its name: read-only views of the model's own memory."""
        out = {}
        for i in range(lib.uw_model_num_tensors(self._handle)):
            t = lib.uw_model_tensor(self._handle, i)
            shape = tuple(t.shape[d] for d in range(t.num_dims))
            out[text(t.name)] = view(t.data, DTYPES[t.dtype], shape, self)
        return out

    @property
    def action_normaliser(self) -> tuple[np.ndarray, np.ndarray]:
        """mean and std, [action_dim of the env] each: z-scored = (action - mean) / std."""
        n = self.config["action_dim"]
        mean, std = ffi.new("const float **"), ffi.new("const float **")
        lib.uw_model_action_normaliser(self._handle, mean, std)
        if mean[0] == ffi.NULL:
            return np.zeros(n, np.float32), np.ones(n, np.float32)
        return view(mean[0], np.float32, (n,), self), view(std[0], np.float32, (n,), self)

    def encode(self, observations: Any) -> np.ndarray:
        """Latents of observations.

        observations: frames uint8 [n, Y, X, 3], or columns float [n, observe_dim] for a model of sensors; one
        without the leading axis gives one latent.  Returns float32 [n, D], or [D].
        """
        columns = self.config["input"] == "columns"
        given = np.asarray(observations)
        single = given.ndim == (1 if columns else 3)
        given = given[None] if single else given
        size = self.image_size
        x = (array("observations", given, np.float32, None, self.config["observe_dim"]) if columns
             else array("frames", given, np.uint8, None, size, size, 3))
        z, err = np.empty((len(x), self.latent_dim), np.float32), new_err()
        frames = ffi.NULL if columns else ffi.cast("uint8_t *", pointer(x))
        check(lib.uw_model_encode(self.context._handle, self._handle, frames, floats(x) if columns else ffi.NULL,
                                  len(x), floats(z), err), err)
        return z[0] if single else z

    def rollout(self, z0: Any, actions: Any, past: Any = None, *, normalised: bool = False) -> np.ndarray:
        """Imagined latents along action sequences.

        z0: [D], or [history, D] with the oldest first, and then past [history - 1, A], the actions between them;
        actions: [n, H, A], or [H, A]; normalised: actions are z-scored instead of in the world's units.
        Returns float32 [n, H, D], or [H, D].  For many calls make one `Dynamics` and keep it.
        """
        given = np.asarray(actions)
        n, h = (1, len(given)) if given.ndim == 2 else given.shape[:2]
        return Dynamics(self, n, h, normalised=normalised).rollout(z0, actions, past)


class Dynamics:
    """A model ready to be rolled out: memory for up to `num_samples` candidates of up to `horizon` decisions.

    One call at a time; any number of instances may share a model.
    """

    def __init__(self, model: Model, num_samples: int, horizon: int, *, normalised: bool = False,
                 gradient: bool = False) -> None:
        self.model, self.normalised = model, normalised
        ctx = model.context
        limits = ffi.new("uw_dynamics_limits *", {"num_samples": num_samples, "horizon": horizon,
                                                  "num_threads": ctx.threads, "normalised_actions": normalised,
                                                  "gradient": gradient})
        size = lib.uw_model_dynamics_memsize(model._handle, limits)
        self._memory = aligned(size, f"dynamics of {num_samples} candidates, {horizon} decisions")
        self._struct = ffi.new("uw_dynamics *")
        check(lib.uw_model_dynamics_init(ctx._handle, model._handle, limits, True, pointer(self._memory), size,
                                         self._struct), what="dynamics")

    def history(self, z0: Any, past: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """z0 and past as the library takes them: [history, D] and [history - 1, A] or None."""
        z = np.asarray(z0)
        z = array("z0", z[None] if z.ndim == 1 else z, np.float32, None, self.model.latent_dim)
        most = self.model.config["history_size"]
        if not 1 <= len(z) <= most:
            raise UmweltError("ESHAPE", f"z0: latents, wanted 1 to {most}, got {len(z)}")
        if len(z) == 1:
            return z, None
        if past is None:
            raise UmweltError("EINVAL", f"past: wanted the {len(z) - 1} decisions between the latents, got None")
        return z, array("past", past, np.float32, len(z) - 1, self.model.action_dim)

    def rollout(self, z0: Any, actions: Any, past: Any = None) -> np.ndarray:
        """As Model.rollout."""
        given = np.asarray(actions)
        single = given.ndim == 2
        a = array("actions", given[None] if single else given, np.float32, None, None, self.model.action_dim)
        z, p = self.history(z0, past)
        out = np.empty((*a.shape[:2], self.model.latent_dim), np.float32)
        check(self._struct.rollout(self._struct.self, floats(z), len(z), floats(p), floats(a), a.shape[0], a.shape[1],
                                   floats(out)), what=f"rollout of {a.shape[0]} x {a.shape[1]} decisions")
        return out[0] if single else out
