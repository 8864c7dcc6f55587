"""From the start of a process to its first action: `umwelt plan` with a ready model against stable-worldmodel's LeWM, which
imports, builds the model and plans once.  Both plan once with iCEM 128 x 3, horizon 5, LeWM at its published size; every start
is a fresh process with files in the page cache, A B A B.  Without the peer, umwelt's own starts alone.

umwelt also starts with a small model (--model, e.g. the demo's), for which the goal is 50 ms to the end of the process.
"""
import argparse
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

import peer
import reference

PLAN = ['--solver', 'icem', '--num-samples', '128', '--iters', '3', '--horizon', '5']


def child():
    """The peer's whole life: what a script of its users does up to the first action."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import torch
    torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))
    import lewm
    run, _, _ = lewm.plan_job('fp32', 128, 3, True)
    run()


def write_png(path, size, seed):
    """A picture of random colours."""
    numbers = random.Random(seed)
    rows = b''.join(b'\0' + bytes(numbers.randrange(256) for _ in range(3 * size)) for _ in range(size))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n')
        for kind, data in ((b'IHDR', struct.pack('>IIBBBBB', size, size, 8, 2, 0, 0, 0)), (b'IDAT', zlib.compress(rows)),
                           (b'IEND', b'')):
            file.write(struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data)))


def write_lewm(umwelt, folder):
    """The peer's model as a file of ours, by way of the state dict and config.json that its users have."""
    import torch
    torch.save(reference.lewm(reference.FULL).state_dict(), f'{folder}/weights.pt')
    with open(f'{folder}/config.json', 'w') as file:
        json.dump(config_json(reference.FULL), file)
    path = f'{folder}/lewm.safetensors'
    subprocess.run([umwelt, 'convert', f'{folder}/weights.pt', path, '--config', f'{folder}/config.json', '--quiet'], check=True,
                   stdout=subprocess.DEVNULL)
    return path


def config_json(s):
    module, width = 'stable_worldmodel.wm.lewm.module.', s['width']
    mlp = {'_target_': module + 'MLP', 'input_dim': width, 'output_dim': width, 'hidden_dim': s['projector'],
           'norm_fn': {'_target_': 'torch.nn.BatchNorm1d', '_partial_': True}}
    return {
        '_target_': 'stable_worldmodel.wm.lewm.LeWM',
        'encoder': {'_target_': 'stable_pretraining.backbone.utils.vit_hf', 'size': 'tiny', 'patch_size': s['patch'],
                    'image_size': s['image'], 'pretrained': False, 'use_mask_token': False, 'hidden_size': width,
                    'num_hidden_layers': s['layers'], 'num_attention_heads': s['heads'], 'intermediate_size': 4 * width},
        'predictor': {'_target_': module + 'Predictor', 'num_frames': 3, 'input_dim': width, 'hidden_dim': width,
                      'output_dim': width, 'depth': s['predictor_layers'], 'heads': s['predictor_heads'],
                      'mlp_dim': s['predictor_mlp'], 'dim_head': s['head_dim'], 'dropout': 0.1, 'emb_dropout': 0.0},
        'action_encoder': {'_target_': module + 'Embedder', 'input_dim': 10, 'emb_dim': width},
        'projector': mlp, 'pred_proj': mlp}


def start_of_umwelt(args, model, size, folder):
    """(milliseconds from start to end, those of the search itself)."""
    command = [args.umwelt, 'plan', model, '--obs', f'{folder}/now{size}.png', '--goal', f'{folder}/goal{size}.png', '--json',
               '--threads', str(args.threads), *(PLAN if size == 224 else [])]
    begin = time.perf_counter()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return (time.perf_counter() - begin) * 1e3, json.loads(out)['plan_ms']


def start_of_peer(args):
    env = dict(os.environ, OMP_NUM_THREADS=str(args.threads), OMP_WAIT_POLICY='PASSIVE')
    begin = time.perf_counter()
    subprocess.run([sys.executable, __file__, '--child'], check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1e3


def tell(name, starts):
    total = [a for a, _ in starts]
    around = [a - b for a, b in starts]
    print(json.dumps({'what': name, 'umwelt_median': statistics.median(total), 'umwelt_min': min(total), 'umwelt_max': max(total),
                      'without_search_median': statistics.median(around), 'starts': len(starts)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--model', default='../../umwelt-demo/run/model.safetensors', help='a small model that sees 64 x 64 pixels')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--record', help='a JSON file that umwelt bench --peers reads')
    parser.add_argument('--child', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child()
    with tempfile.TemporaryDirectory() as folder:
        for size in (64, 224):
            write_png(f'{folder}/now{size}.png', size, 1)
            write_png(f'{folder}/goal{size}.png', size, 2)
        if os.path.exists(args.model):
            tell('start to first action, small model', [start_of_umwelt(args, args.model, 64, folder) for _ in range(4 * args.pairs)])
        else:
            print(f'skip: small model: no {args.model} (demo.sh makes one)')
        try:
            model = write_lewm(args.umwelt, folder)
        except ImportError as error:
            print(f'skip: LeWM: {error} (see README.md)')
            return 0
        start_of_umwelt(args, model, 224, folder), start_of_peer(args)  # the page cache
        ours, theirs = [], []
        for _ in range(args.pairs):
            ours.append(start_of_umwelt(args, model, 224, folder))
            theirs.append(start_of_peer(args))
    tell('start to first action, LeWM', ours)
    total = [a for a, _ in ours]
    peer.report('start to first action', total, theirs, [b / a for a, b in zip(total, theirs)],
                {'unit': 'ms', 'threads': args.threads, 'peer': f'{reference_version()}, fp32, iCEM 128 x 3'}, args.record)
    return 0


def reference_version():
    import importlib.metadata
    return 'torch {}, stable-worldmodel {}'.format(*(importlib.metadata.version(p) for p in ('torch', 'stable-worldmodel')))


if __name__ == '__main__':
    sys.exit(main())
