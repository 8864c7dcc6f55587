#!/usr/bin/env python3
"""Record fifty optimiser steps of the reference LeWM on PushT: the loss curve that ours has to follow.

    python scripts/record_lewm_curve.py pusht.h5 --out tests/vectors/golden/curve

Needs stable-worldmodel 0.1.1, transformers, torch and h5py with hdf5plugin.  The model and SIGReg are the
reference's classes; the loss is its training forward (prediction error + 0.09 SIGReg), the optimiser AdamW with
its settings, the schedule linear warm-up over 1% and a cosine, gradients clipped at norm 1, dropout off.

What is drawn comes from a closed formula, so that the file holds the pictures and little else: weights and
directions from splitmix64 keyed by FNV-1a of a name (tests/parity/golden_lewm_full.c has the same rules).
Pictures are PushT frames, averaged down to the configured side; actions are z-scored blocks of five.  The curve
is recorded in double (the truth) and in single precision; the band is eight times their largest distance, at
least 1e-6 of the largest value.
"""
import argparse
import contextlib
import json
import pathlib
import re
import struct
from unittest import mock

with contextlib.suppress(ImportError):
    import torchvision_cpu_ops  # noqa: F401  a torchvision without its binary half
import h5py
import hdf5plugin  # noqa: F401  the Blosc filter
import numpy as np
import torch
from stable_worldmodel.wm.lewm import LeWM
from stable_worldmodel.wm.lewm import module as parts
from stable_worldmodel.wm.loss import SIGReg
from transformers import ViTConfig, ViTModel

SMALL = dict(image=56, patch=14, hidden=48, layers=2, heads=3, mlp=192, proj=96, action=10, depth=2, pheads=4,
             dim_head=16, pmlp=96, history=3, batch=6, dirs=64)
FULL = dict(image=224, patch=14, hidden=192, layers=12, heads=3, mlp=768, proj=2048, action=10, depth=6, pheads=16,
            dim_head=64, pmlp=2048, history=3, batch=3, dirs=1024)
SALT = "curve."
RENAME = [(r"encoder\.layers\.", "encoder.encoder.layer."), (r"attention\.q_proj", "attention.attention.query"),
          (r"attention\.k_proj", "attention.attention.key"), (r"attention\.v_proj", "attention.attention.value"),
          (r"attention\.o_proj", "attention.output.dense"), (r"mlp\.fc1", "intermediate.dense"),
          (r"mlp\.fc2", "output.dense")]


def draws(name, count):
    """Numbers in [-1, 1), multiples of 2^-23."""
    key = 0xCBF29CE484222325
    for byte in (SALT + name).encode():
        key = ((key ^ byte) * 0x100000001B3) & (1 << 64) - 1
    with np.errstate(over="ignore"):
        x = np.uint64(key) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float64) * 2.0 ** -23 - 1.0


def name4(name):
    """The name a tensor has in released checkpoints (transformers 4.x)."""
    if name.startswith("encoder.layers."):
        for pattern, new in RENAME:
            name = re.sub(pattern, new, name)
    return name


def weight(name, shape):
    if name.endswith("num_batches_tracked"):
        return np.array(1000, np.int64)
    count = int(np.prod(shape, dtype=np.int64))
    r = draws(name, count)
    if name.endswith("running_var"):
        v = 1.0 + 0.5 * r
    elif name.endswith("running_mean"):
        v = 0.2 * r
    elif len(shape) == 1:
        v = 1.0 + 0.2 * r if name.endswith("weight") else 0.1 * r
    elif name.endswith("weight"):
        v = np.sqrt(3.0 / (count // shape[0])) * r
    else:
        v = 0.5 * r
    return v.astype(np.float32).reshape(shape)


def build(c):
    h, bn = c["hidden"], torch.nn.BatchNorm1d
    encoder = ViTModel(ViTConfig(hidden_size=h, num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
                                 intermediate_size=c["mlp"], image_size=c["image"], patch_size=c["patch"]),
                       add_pooling_layer=False, use_mask_token=False)
    predictor = parts.Predictor(num_frames=c["history"], depth=c["depth"], heads=c["pheads"], mlp_dim=c["pmlp"],
                                input_dim=h, hidden_dim=h, output_dim=h, dim_head=c["dim_head"], dropout=0.0)
    model = LeWM(encoder, predictor, parts.Embedder(input_dim=c["action"], emb_dim=h),
                 parts.MLP(h, c["proj"], h, bn), parts.MLP(h, c["proj"], h, bn))
    state = model.state_dict()
    model.load_state_dict({k: torch.from_numpy(weight(name4(k), tuple(v.shape))) for k, v in state.items()})
    return model


def windows_of(path, c, count):
    """Evenly spread windows: pixels u8 [W, T, S, S, 3] averaged down, z-scored action blocks f32 [W, T, A]."""
    frames, skip = c["history"] + 1, 5
    with h5py.File(path) as f:
        offset, length = f["ep_offset"][:], f["ep_len"][:]
        action = f["action"][:].astype(np.float64)
        good = action[~np.isnan(action).any(1)]
        action = np.nan_to_num((action - good.mean(0)) / np.maximum(good.std(0), 1e-8))
        pixels, blocks = [], []
        for w in range(count):
            e = w * len(length) // count
            first = int(offset[e]) + (7 * w) % (int(length[e]) - frames * skip + 1)
            rows = f["pixels"][first:first + frames * skip:skip].astype(np.float64)
            k = rows.shape[1] // c["image"]
            small = rows.reshape(frames, c["image"], k, c["image"], k, 3).mean((2, 4))
            pixels.append(np.round(small).astype(np.uint8))
            blocks.append(action[first:first + frames * skip].reshape(frames, -1))
    return np.stack(pixels), np.stack(blocks).astype(np.float32)


def normalise(pixels, dtype):
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=dtype)
    std = torch.tensor([0.229, 0.224, 0.225], dtype=dtype)
    scale = torch.tensor(1 / 255, dtype=torch.float32).to(dtype) if dtype == torch.float32 else 1 / 255
    return ((torch.from_numpy(pixels).to(dtype) * scale - mean) / std).permute(0, 1, 4, 2, 3)


@contextlib.contextmanager
def precision(dtype):
    """Run reference code in dtype: in double, its hard-coded float32 becomes double too."""
    with contextlib.ExitStack() as stack:
        if dtype == torch.float64:
            stack.enter_context(mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
            stack.enter_context(mock.patch.object(torch, "float32", torch.float64))
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)


def train(c, a, pixels, blocks, picks, dtype):
    """The recorded numbers of every step: total, prediction, SIGReg, gradient norm before clipping, rate."""
    with precision(dtype):
        model, sigreg = build(c).to(dtype).train(), SIGReg(num_proj=c["dirs"]).to(dtype)
        px, act = normalise(pixels, dtype), torch.from_numpy(blocks).to(dtype)
        opt = torch.optim.AdamW(model.parameters(), lr=a.lr, weight_decay=1e-3)
        warmup = max(1, int(0.01 * a.schedule_steps))
        sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda k: k / warmup if k < warmup else 0.5 * (
            1 + np.cos(np.pi * (k - warmup) / (a.schedule_steps - warmup))))
        rows, h = [], c["history"]
        for step, pick in enumerate(picks):
            drawn = draws(f"directions.{step}", c["hidden"] * c["dirs"]).reshape(c["hidden"], c["dirs"])
            drawn = torch.from_numpy(drawn).float().to(dtype)
            out = model.encode({"pixels": px[pick], "action": act[pick]})
            pred = model.predict(out["emb"][:, :h], out["act_emb"][:, :h])
            pred_loss = (pred - out["emb"][:, 1:]).pow(2).mean()
            with mock.patch.object(torch, "randn", lambda *_, **__: drawn.clone()):
                sig_loss = sigreg(out["emb"].transpose(0, 1))
            loss = pred_loss + 0.09 * sig_loss
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            rows.append([float(v.detach()) for v in (loss, pred_loss, sig_loss, norm)] + [opt.param_groups[0]["lr"]])
            opt.step()
            sched.step()
            opt.zero_grad(set_to_none=True)
            print(step, *(f"{v:.6g}" for v in rows[-1]), flush=True)
    return np.array(rows).T.copy()


def write(path, tensors, meta):
    codes = {"f8": "F64", "f4": "F32", "i8": "I64", "u1": "U8"}
    names, at, head = sorted(tensors, key=lambda k: -tensors[k].itemsize), 0, {"__metadata__": meta}
    for k in names:
        t = tensors[k]
        head[k] = {"dtype": codes[t.dtype.str[1:]], "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors[k].tobytes() for k in names))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", help="PushT in HDF5")
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--full", action="store_true", help="the published size")
    p.add_argument("--config", default="{}", help="JSON with changes to the configuration")
    p.add_argument("--single", action="store_true", help="skip the run in double: the band is then 2e-4 of the value")
    p.add_argument("--steps", type=int, default=50)
    p.add_argument("--windows", type=int, default=12, help="different windows in the file")
    p.add_argument("--schedule-steps", type=int, default=500)
    p.add_argument("--lr", type=float, default=5e-5)
    a = p.parse_args()
    c = {**(FULL if a.full else SMALL), **json.loads(a.config)}
    pixels, blocks = windows_of(a.data, c, a.windows)
    rng = np.random.default_rng(1)
    picks = np.stack([rng.choice(a.windows, c["batch"], replace=False) for _ in range(a.steps)])
    single = train(c, a, pixels, blocks, picks, torch.float32)
    truth = single if a.single else train(c, a, pixels, blocks, picks, torch.float64)

    tensors, lines = {"pixels": pixels, "actions": blocks, "picks": picks.astype(np.int64), "lr": truth[4]}, []
    for i, name in enumerate(("loss", "pred_loss", "sigreg_loss", "grad_norm")):
        error, top = np.abs(single[i] - truth[i]).max(), np.abs(truth[i]).max()
        l2 = np.linalg.norm(single[i] - truth[i]) / np.linalg.norm(truth[i])
        tensors[name], tensors["f32." + name] = truth[i], single[i]
        lines.append(f"{name}\t{top:.3e}\t{error:.2e}\t{max(8 * error, (2e-4 if a.single else 1e-6) * top):.1e}\t{l2:.1e}")
    a.out.mkdir(parents=True, exist_ok=True)
    meta = dict(config=json.dumps(c), salt=SALT, reference="stable-worldmodel 0.1.1", torch=torch.__version__,
                schedule_steps=str(a.schedule_steps), lr=str(a.lr), weight_decay="0.001", clip="1.0")
    write(a.out / "curve.safetensors", tensors, meta)
    head = "tensor\tmax_abs\tfp32_error\ttolerance\trel_l2\n"
    (a.out / "curve.tol.tsv").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
