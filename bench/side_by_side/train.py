"""The demo's training step: umwelt against PyTorch's best, alternated.

The peer is the same computation written plainly in PyTorch: 64 windows of 4 frames, convolutions 16/32/32, BatchNorm projector, residual
MLP predictor, teacher-forced and rollout losses, SIGReg with 128 fresh directions, backward, clipping, fused AdamW. Its input is ready in
memory; umwelt's step includes drawing its frames.
"""
import argparse
import sys
import time

import peer

VARIANTS = ['fp32', 'fp32+last', 'autocast', 'autocast+last', 'fp32+compile', 'fp32+last+compile', 'autocast+compile']


def make_step(variant):
    import contextlib

    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    torch.manual_seed(0)
    windows, frames, latent = 64, 4, 32
    conv = nn.Sequential(nn.Conv2d(4, 16, 4, 4), nn.GELU(), nn.Conv2d(16, 32, 3, 2, 1), nn.GELU(), nn.Conv2d(32, 32, 3, 2, 1),
                         nn.GELU(), nn.Flatten(), nn.Linear(512, 128), nn.BatchNorm1d(128), nn.GELU(), nn.Linear(128, latent))
    mlp = nn.Sequential(nn.Linear(latent + 2, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, latent))
    nn.init.zeros_(mlp[4].weight)
    nn.init.zeros_(mlp[4].bias)
    picture = torch.rand(windows * frames, 4, 64, 64)
    action = torch.rand(windows, frames, 2) * 2 - 1
    if '+last' in variant:
        picture, conv = picture.to(memory_format=torch.channels_last), conv.to(memory_format=torch.channels_last)
    knots = torch.arange(17) * (3 / 16)
    phi = torch.exp(-knots ** 2 / 2)
    weight = torch.full((17,), 2 * 3 / 16)
    weight[0] = weight[-1] = 3 / 16
    weight = weight * phi

    def predict(z, a):
        return z + mlp(torch.cat([z, a], -1))

    def loss_of(picture, action):
        z = conv(picture).float().view(windows, frames, latent)
        first = predict(z[:, :3], action[:, :3])
        loss = F.mse_loss(first, z[:, 1:])
        rolled = first[:, 0]
        for t in (1, 2):
            rolled = predict(rolled, action[:, t])
            loss = loss + 0.5 * F.mse_loss(rolled, z[:, t + 1])
        direction = F.normalize(torch.randn(latent, 128), dim=0)
        h = (z.reshape(-1, latent) @ direction).unsqueeze(-1) * knots
        statistic = ((h.cos().mean(0) - phi) ** 2 + h.sin().mean(0) ** 2) @ weight
        return loss + 3 * statistic.mean()

    forward = torch.compile(loss_of) if '+compile' in variant else loss_of
    parameters = [*conv.parameters(), *mlp.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3, fused=True)
    cast = torch.autocast('cpu', dtype=torch.bfloat16) if variant.startswith('autocast') else contextlib.nullcontext()

    def step():
        with cast:
            loss = forward(picture, action)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def serve(variant, threads):
    import torch
    torch.set_num_threads(threads)
    step = make_step(variant)
    for _ in range(5):
        step()

    def measure():
        times = []
        for _ in range(30):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        return sorted(times)[len(times) // 2] * 1e3

    peer.serve(measure)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--pairs', type=int, default=7)
    parser.add_argument('--variants', help="the peer's, comma-separated; default all")
    parser.add_argument('--record', help='a JSON file that umwelt bench --peers reads')
    parser.add_argument('--serve', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.threads)
    try:
        import torch
    except ImportError:
        print('skip: PyTorch is not installed (see README.md)')
        return 0
    best = None
    for waiting in ('spin', 'passive'):
        for variant in args.variants.split(',') if args.variants else VARIANTS:
            try:
                other = peer.Peer(__file__, ['--serve', variant, '--threads', str(args.threads)], args.threads, waiting)
                value = min(other.measure(), other.measure())
                other.close()
            except (RuntimeError, ValueError) as error:
                print(f'{variant} {waiting}: {error}', file=sys.stderr)
                continue
            print(f'{variant:20s} {waiting:8s} {value:8.2f} ms', file=sys.stderr)
            if best is None or value < best[0]:
                best = (value, variant, waiting)
    other = peer.Peer(__file__, ['--serve', best[1], '--threads', str(args.threads)], args.threads, best[2])
    ours, theirs = [], []
    for _ in range(args.pairs):
        ours.append(peer.umwelt_bench(args.umwelt, 'train', 'demo training step', args.threads))
        theirs.append(other.measure())
    other.close()
    peer.report('demo training step', ours, theirs, [b / a for a, b in zip(ours, theirs)],
                {'peer': f'PyTorch {torch.__version__} {best[1]}, {best[2]} waiting, {other.malloc}', 'threads': args.threads}, args.record)
    return 0


if __name__ == '__main__':
    sys.exit(main())
