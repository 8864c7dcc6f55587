"""What we export, taken by PyTorch's safe loader and by the reference's own load_pretrained: checkpoint_reference.py UMWELT.

Skips (77) with a word where the interpreter lacks them.  The encoder's constructor lives in stable-pretraining, which
drags a training framework in: where it is missing, the same ViT is built from transformers under its name.
"""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

tests = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(tests / "python"))

for package in ("torch", "stable_worldmodel", "transformers", "hydra"):
    if importlib.util.find_spec(package) is None:
        print(f"skipped: no {package} in this interpreter (UW_PYTHON_PEERS names another)")
        sys.exit(77)

umwelt = os.path.abspath(sys.argv[1])
good = Path(os.environ.get("UW_VECTORS") or tests / "vectors") / "golden/checkpoints/good"


def vit_hf(size="tiny", patch_size=16, image_size=224, pretrained=False, use_mask_token=True, **sizes):
    from transformers import ViTConfig, ViTModel
    return ViTModel(ViTConfig(patch_size=patch_size, image_size=image_size, **sizes), add_pooling_layer=False,
                    use_mask_token=use_mask_token)


def provide_encoder():
    if importlib.util.find_spec("stable_pretraining"):
        return
    for name in ("stable_pretraining", "stable_pretraining.backbone", "stable_pretraining.backbone.utils"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["stable_pretraining.backbone.utils"].vit_hf = vit_hf


def convert(*args):
    subprocess.run([umwelt, "convert", *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def main():
    from world_evaluate import load_reference
    load_reference()
    import torch
    import transformers
    from stable_worldmodel.wm.utils import load_pretrained
    provide_encoder()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run = folder / "checkpoints/mine"
        run.mkdir(parents=True)
        model, weights = folder / "model.safetensors", run / "weights.pt"
        convert(good / "plain_5x.pt", model, "--config", good / "config.json", "--quiet")
        want = torch.load(good / "plain_5x.pt", weights_only=True)
        for layout in ("transformers-4", "transformers-5"):
            convert(model, weights, "--layout", layout, "--force")
            got = torch.load(weights, weights_only=True)
            assert len(got) == len(want)
            if layout == "transformers-5":
                assert got.keys() == want.keys()
                assert all(torch.equal(got[k], want[k]) and got[k].dtype == want[k].dtype for k in want)
        if int(transformers.__version__.split(".")[0]) < 5:
            convert(model, weights, "--force")
        network = load_pretrained("mine", cache_dir=str(folder))  # load_state_dict is strict: every name, every shape
        state = network.state_dict()
        config = json.load(open(run / "config.json"))
        assert config["predictor"]["num_frames"] == network.predictor.num_frames
        assert state.keys() != want.keys() or all(torch.equal(state[k], want[k]) for k in want)
        assert sum(v.numel() for v in state.values()) == sum(v.numel() for v in want.values())
        print(f"ok: {len(state)} tensors in {type(network).__name__}, torch {torch.__version__}, "
              f"transformers {transformers.__version__}")


main()
