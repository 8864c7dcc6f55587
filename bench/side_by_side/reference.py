"""The reference implementation, imported: stable-worldmodel's LeWM with its published sizes and random weights."""


def declare_torchvision():
    """Beside a CPU build of PyTorch, torchvision's compiled operators are missing; declared, its Python part imports."""
    import importlib.util
    import pathlib
    import re

    import torch
    folder = importlib.util.find_spec('torchvision').submodule_search_locations[0]
    text = pathlib.Path(folder, '_meta_registrations.py').read_text()
    library = torch.library.Library('torchvision', 'DEF')
    for name in sorted({a or b for a, b in re.findall(r'register_meta\("(\w+)"\)|torchvision::(\w+)', text)}):
        library.define(f'{name}(Tensor x) -> Tensor')
    declare_torchvision.kept = library


def load():
    """Import stable_worldmodel, quietly; once."""
    import sys
    if 'stable_worldmodel' in sys.modules:
        return sys.modules['stable_worldmodel']
    import logging
    import warnings
    warnings.filterwarnings('ignore')
    logging.disable(logging.CRITICAL)
    declare_torchvision()
    import stable_worldmodel
    return stable_worldmodel


FULL = dict(image=224, patch=14, width=192, layers=12, heads=3, predictor_layers=6, predictor_heads=16, head_dim=64,
            predictor_mlp=2048, projector=2048)
SMALL64 = dict(image=64, patch=8, width=64, layers=3, heads=1, predictor_layers=2, predictor_heads=4, head_dim=32,
               predictor_mlp=256, projector=256)
SMALL128 = dict(image=64, patch=8, width=128, layers=4, heads=2, predictor_layers=3, predictor_heads=8, head_dim=32,
                predictor_mlp=512, projector=512)
SIZES = {'full': FULL, 'small64': SMALL64, 'small128': SMALL128}


def lewm(size):
    """LeWM at one of SIZES: Hugging Face's ViT, AdaLN predictor of three steps, actions in blocks of 5 x 2 numbers."""
    load()
    import torch
    from stable_worldmodel.wm.lewm import LeWM
    from stable_worldmodel.wm.lewm.module import MLP, Embedder, Predictor
    from transformers import ViTConfig, ViTModel
    torch.manual_seed(0)
    s, width = size, size['width']
    config = ViTConfig(hidden_size=width, num_hidden_layers=s['layers'], num_attention_heads=s['heads'],
                       intermediate_size=4 * width, image_size=s['image'], patch_size=s['patch'])
    encoder = ViTModel(config, add_pooling_layer=False, use_mask_token=False)
    encoder.config.interpolate_pos_encoding = True
    predictor = Predictor(num_frames=3, input_dim=width, hidden_dim=width, output_dim=width, depth=s['predictor_layers'],
                          heads=s['predictor_heads'], mlp_dim=s['predictor_mlp'], dim_head=s['head_dim'], dropout=0.1,
                          emb_dropout=0.0)
    for block in predictor.transformer.layers:  # from zero every block would be the identity
        torch.nn.init.normal_(block.adaLN_modulation[-1].weight, std=0.02)
        torch.nn.init.normal_(block.adaLN_modulation[-1].bias, std=0.02)

    def projector():
        return MLP(input_dim=width, output_dim=width, hidden_dim=s['projector'], norm_fn=torch.nn.BatchNorm1d)

    return LeWM(encoder, predictor, Embedder(input_dim=10, emb_dim=width), projector(), projector())
