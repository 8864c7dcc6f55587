"""The same episodes under stable-worldmodel's own planner and under ours, in its own World.evaluate.

    PYTHONPATH=build/release/python python tests/python/world_evaluate.py --env pusht --data pusht.h5 \
        --episodes 4 --samples 300 --iterations 30

Both get the same weights (random, by seed) and the same standard-normal draws; printed are the outcomes and the largest
difference between two actions, of all and per episode.  Needs stable-worldmodel, torch and torchvision.  Starts and
goals come from an HDF5 dataset of that package with pictures of the model's size, or from one that is collected first.
"""
import argparse
import contextlib
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

import lewm_files

OFFSET, BUDGET, BLOCKS = 25, 50, 5  # rows to the goal, env steps, decisions per plan: the published protocol
ENVS = {"pusht": ("swm/PushT-v1", "state", "goal_state"), "tworoom": ("swm/TwoRoom-v1", "proprio", "goal_proprio")}
TINY = {"image": 56, "patch": 14, "hidden": 48, "layers": 2, "heads": 3, "mlp": 192, "proj": 96, "action": 10,
        "depth": 2, "pheads": 4, "dim_head": 16, "pmlp": 96, "history": 3}
FULL = {"image": 224, "patch": 14, "hidden": 192, "layers": 12, "heads": 3, "mlp": 768, "proj": 2048, "action": 10,
        "depth": 6, "pheads": 16, "dim_head": 64, "pmlp": 2048, "history": 3}


def load_reference():
    """Import stable-worldmodel; a torchvision whose native part does not fit this torch is given empty operators."""
    os.environ.update(SDL_VIDEODRIVER="dummy", PYGAME_HIDE_SUPPORT_PROMPT="1", HF_HUB_OFFLINE="1")
    import torch
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        import importlib.util
        for name in [m for m in sys.modules if m.startswith("torchvision")]:
            del sys.modules[name]
        folder = Path(importlib.util.find_spec("torchvision").submodule_search_locations[0])
        source = (folder / "_meta_registrations.py").read_text()
        load_reference.library = torch.library.Library("torchvision", "DEF")
        for op in set(re.findall(r'register_meta\("(\w+)"\)', source)) | set(re.findall(r"torchvision::(\w+)", source)):
            load_reference.library.define(f"{op}(Tensor x) -> Tensor")
    import stable_worldmodel
    return stable_worldmodel


def build_lewm(c, seed):
    """The reference's own modules put together as its configuration does, with random weights."""
    import torch
    from stable_worldmodel.wm.lewm import LeWM
    from stable_worldmodel.wm.lewm.module import MLP, Embedder, Predictor
    from transformers import ViTConfig, ViTModel
    torch.manual_seed(seed)
    vit = ViTConfig(hidden_size=c["hidden"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
                    intermediate_size=c["mlp"], image_size=c["image"], patch_size=c["patch"])
    encoder = ViTModel(vit, add_pooling_layer=False, use_mask_token=False)
    predictor = Predictor(num_frames=c["history"], input_dim=c["hidden"], hidden_dim=c["hidden"],
                          output_dim=c["hidden"], depth=c["depth"], heads=c["pheads"], mlp_dim=c["pmlp"],
                          dim_head=c["dim_head"], dropout=0.1, emb_dropout=0.0)
    for block in predictor.transformer.layers:  # the zero initialisation would make every block the identity
        torch.nn.init.normal_(block.adaLN_modulation[-1].weight, std=0.02)
        torch.nn.init.normal_(block.adaLN_modulation[-1].bias, std=0.02)

    def mlp():
        return MLP(input_dim=c["hidden"], output_dim=c["hidden"], hidden_dim=c["proj"], norm_fn=torch.nn.BatchNorm1d)

    model = LeWM(encoder, predictor, Embedder(input_dim=c["action"], emb_dim=c["hidden"]), mlp(), mlp())
    return model.eval().requires_grad_(False)


class Scaler:
    """z-score per number over the rows without NaN, the population's deviation."""

    def __init__(self, a):
        a = a[~np.isnan(a).any(axis=1)]
        self.mean, self.std = a.mean(0), np.maximum(a.std(0), 1e-8)

    def transform(self, a):
        return (a - self.mean) / self.std

    def inverse_transform(self, a):
        return a * self.std + self.mean


class Watched:
    """A policy whose actions are kept, and, on request, the draws of every call that planned."""

    def __init__(self, inner, keep_draws):
        self.inner, self.keep_draws, self.actions, self.draws = inner, keep_draws, [], {}

    def set_env(self, env):
        self.inner.set_env(env)

    def get_action(self, infos, **kw):
        import torch
        real, seen = torch.randn, []

        def randn(*size, **how):
            seen.append(real(*size, **how))
            return seen[-1]
        torch.randn = randn if self.keep_draws else real
        try:
            action = np.asarray(self.inner.get_action(infos, **kw), np.float32)
        finally:
            torch.randn = real
        if seen:
            self.draws[f"solve{len(self.draws)}"] = torch.stack(seen).numpy()
        self.actions.append(action.copy())
        return action


def reference_policy(swm, model, scaler, samples, iterations, seed):
    import torch
    from stable_worldmodel.solver import CEMSolver
    from torchvision.transforms import v2
    picture = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
                          v2.Normalize(mean=[.485, .456, .406], std=[.229, .224, .225])])
    solver = CEMSolver(model, batch_size=1, num_samples=samples, n_steps=iterations, topk=min(30, samples // 2),
                       device="cpu", seed=seed)
    return swm.policy.WorldModelPolicy(
        solver=solver, config=swm.PlanConfig(horizon=BLOCKS, receding_horizon=BLOCKS, action_block=5),
        process={"action": scaler}, transform={"pixels": picture, "goal": picture})


def run(swm, env, data, size, policy, episodes, seed):
    """Evaluate one policy on `episodes` starts of the dataset, each reset with its own seed."""
    name, start_key, goal_key = ENVS[env]
    step, owner = data.get_col_data("step_idx"), np.repeat(np.arange(len(data.lengths)), data.lengths)
    valid = np.nonzero(step <= (data.lengths - OFFSET - 1)[owner])[0]
    rows = valid[np.sort(np.random.default_rng(seed).choice(len(valid), size=episodes, replace=False))]
    with contextlib.redirect_stdout(io.StringIO()):
        world = swm.World(name, num_envs=episodes, image_shape=(size, size), max_episode_steps=2 * BUDGET)
        reset = world.reset
        world.reset = lambda seed=None, options=None: reset(seed=[5000 + i for i in range(episodes)], options=options)
        world.set_policy(policy)
        result = world.evaluate(
            dataset=data, episodes_idx=owner[rows].tolist(), start_steps=step[rows].tolist(), goal_offset=OFFSET,
            eval_budget=BUDGET,
            callables=[{"method": "_set_state", "args": {"state": {"value": start_key}}},
                       {"method": "_set_goal_state", "args": {"goal_state": {"value": goal_key}}}])
    return [bool(s) for s in result["episode_successes"]]


def collect(swm, env, path, size, seed):
    """A small dataset of random motion, by the reference's own collector."""
    policy = swm.policy.RandomPolicy(seed=seed)
    with contextlib.redirect_stdout(io.StringIO()):
        world = swm.World(ENVS[env][0], num_envs=2, image_shape=(size, size), max_episode_steps=40)
        world.set_policy(policy)
        policy.set_seed(seed)
        world.collect(path, episodes=4, seed=seed, format="hdf5", progress=False)


def compare(env, path=None, sizes=TINY, episodes=2, samples=32, iterations=3, seed=42):
    """{"reference": outcomes, "ours": outcomes, "action_difference": largest, "actions": how many}."""
    import torch
    import umwelt.peers
    swm = load_reference()
    from stable_worldmodel.data import HDF5Dataset
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder, "collected.h5")
            collect(swm, env, path, sizes["image"], seed)
        data = HDF5Dataset(path=str(path))
        model, scaler = build_lewm(sizes, seed), Scaler(data.get_col_data("action"))
        theirs = Watched(reference_policy(swm, model, scaler, samples, iterations, seed), True)
        outcomes = run(swm, env, data, sizes["image"], theirs, episodes, seed)
        torch.save(model.state_dict(), f"{folder}/weights.pt")
        Path(folder, "config.json").write_text(json.dumps(lewm_files.reference_config(sizes)))
        taken = umwelt.Model.from_checkpoint(f"{folder}/weights.pt", normaliser=(scaler.mean, scaler.std))
        taken.save(f"{folder}/m.safetensors")
        np.savez(f"{folder}/draws.npz", **theirs.draws)
        ours = Watched(umwelt.peers.make(model=f"{folder}/m.safetensors", draws=f"{folder}/draws.npz",
                                         samples=samples, iterations=iterations), False)
        our_outcomes = run(swm, env, data, sizes["image"], ours, episodes, seed)
    a, b = (np.stack([w.actions[t] for t in range(min(len(theirs.actions), len(ours.actions)))]) for w in (theirs, ours))
    return {"reference": outcomes, "ours": our_outcomes, "steps": [len(theirs.actions), len(ours.actions)],
            "nan_alike": bool((np.isnan(a) == np.isnan(b)).all()), "actions": int(np.isfinite(a).sum()),
            "action_difference": float(np.nanmax(np.abs(a - b))), "largest_action": float(np.nanmax(np.abs(a))),
            "per_episode": [float(f"{np.nanmax(np.abs(a - b)[:, e]):.2g}") for e in range(episodes)]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--env", choices=list(ENVS), default="pusht")
    p.add_argument("--data", help="HDF5 dataset; collected when not given")
    p.add_argument("--episodes", type=int, default=4)
    p.add_argument("--samples", type=int, default=300)
    p.add_argument("--iterations", type=int, default=30)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--tiny", action="store_true", help="the small model of the tests instead of the published size")
    a = p.parse_args()
    print(json.dumps(compare(a.env, a.data, TINY if a.tiny else FULL, a.episodes, a.samples, a.iterations, a.seed)))


if __name__ == "__main__":
    main()
