"""Model files for the tests: safetensors in and out, and LeWM under its released names."""
import json
import struct

import numpy as np

_DTYPES = {"U8": np.uint8, "I64": np.int64, "F32": np.float32, "F64": np.float64}


def read_safetensors(path):
    """(metadata, {name: array})."""
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        start, end = (8 + size + o for o in t["data_offsets"])
        tensors[name] = np.frombuffer(raw[start:end], _DTYPES[t["dtype"]]).reshape(t["shape"])
    return meta, tensors


def write_safetensors(path, meta, tensors):
    header, blobs, at = {"__metadata__": meta}, [], 0
    words = {np.dtype(v): k for k, v in _DTYPES.items()}
    for name, a in tensors.items():
        blob = np.ascontiguousarray(a).tobytes()
        header[name] = {"dtype": words[a.dtype], "shape": list(a.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.writelines(blobs)


def config_of(sizes, action_dim=2):
    """Our configuration of a LeWM of the golden files' sizes."""
    return {"input": "imagenet", "encoder": "vit", "predictor": "adaln", "image_size": sizes["image"], "observe_dim": 0,
            "action_dim": action_dim, "frameskip": sizes["action"] // action_dim, "history_size": sizes["history"],
            "conv_layers": 0, "vit_patch": sizes["patch"], "vit_dim": sizes["hidden"], "vit_layers": sizes["layers"],
            "vit_heads": sizes["heads"], "vit_mlp_dim": sizes["mlp"], "mlp_layers": 0, "mlp_dim": 0,
            "projector_dim": sizes["proj"], "latent_dim": sizes["hidden"], "action_smooth_dim": sizes["action"],
            "action_hidden_dim": 4 * sizes["hidden"], "predictor_layers": sizes["depth"],
            "predictor_heads": sizes["pheads"], "predictor_head_dim": sizes["dim_head"],
            "predictor_mlp_dim": sizes["pmlp"], "pred_proj_dim": sizes["proj"], "inverse_dim": 0, "dropout": 0.0,
            "conv_channels": [], "conv_kernel": [], "conv_stride": [], "conv_pad": []}


def write_lewm(path, sizes, tensors, mean=None, std=None):
    """One file that can act: tensors under their released names, and the action normaliser."""
    meta = {"umwelt.version": "0.1.0", "umwelt.config": json.dumps(config_of(sizes))}
    if mean is not None:
        meta["umwelt.normalisers"] = json.dumps({"action_mean": [float(x) for x in mean],
                                                 "action_std": [float(x) for x in std]})
    write_safetensors(path, meta, tensors)


def reference_config(c):
    """The reference's config.json for the same sizes."""
    def mlp():
        return {"_target_": "stable_worldmodel.wm.lewm.module.MLP", "input_dim": c["hidden"], "output_dim": c["hidden"],
                "hidden_dim": c["proj"], "norm_fn": {"_target_": "torch.nn.BatchNorm1d", "_partial_": True}}
    return {
        "_target_": "stable_worldmodel.wm.lewm.LeWM",
        "encoder": {"_target_": "stable_pretraining.backbone.utils.vit_hf", "size": "tiny", "patch_size": c["patch"],
                    "image_size": c["image"], "pretrained": False, "use_mask_token": False, "hidden_size": c["hidden"],
                    "num_hidden_layers": c["layers"], "num_attention_heads": c["heads"], "intermediate_size": c["mlp"]},
        "predictor": {"_target_": "stable_worldmodel.wm.lewm.module.Predictor", "num_frames": c["history"],
                      "input_dim": c["hidden"], "hidden_dim": c["hidden"], "output_dim": c["hidden"],
                      "depth": c["depth"], "heads": c["pheads"], "mlp_dim": c["pmlp"], "dim_head": c["dim_head"],
                      "dropout": 0.1, "emb_dropout": 0.0},
        "action_encoder": {"_target_": "stable_worldmodel.wm.lewm.module.Embedder", "input_dim": c["action"],
                           "emb_dim": c["hidden"]},
        "projector": mlp(), "pred_proj": mlp()}
