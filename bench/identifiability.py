"""What a two-view model recovers of Ornstein-Uhlenbeck worlds, against what the theory says that it must.

    PYTHONPATH=build/release/python python3 bench/identifiability.py --umwelt build/release/umwelt --out identifiability

Each row collects a world (umwelt collect ou), trains on its x alone (umwelt train --preset identifiability), encodes fresh episodes of the
same world, and fits linear maps on one half of those episodes and scores them on the other. Prints the table that
docs/models/identifiability.md quotes; a number outside its band is marked and makes the exit code 1. Rows that are in --out already
are not run again. Needs NumPy, and the Python package of the build.
"""
import argparse
import json
import os
import re
import subprocess
import sys

import numpy as np
import umwelt

BASE = ['mlp_dim=64', 'steps=4000', 'sigreg_directions=64', 'checkpoint_every=1000000']
WHITE = ['sigreg_weight=0', 'vicreg_weight=1']
MATCHED = ['encoder=coupling', 'mlp_layers=4', 'sigreg_weight=4e-6', 'lr=1e-2']
ACTING = ['dim=8', 'action.dim=2', 'rho=0.9,0.9', 'mixing=coupling', 'mixing.seed=1']


def row(name, world, train, restarts=1, **bands):
    """restarts: so many trainings, of which the one with the least alignment loss counts, as in the paper."""
    return {'name': name, 'world': world, 'train': train, 'restarts': restarts, 'bands': bands}


ROWS = [
    # raw: R2 of z from x itself; r2: from the code; gap: what a rotation loses against any linear map
    row('banana, SIGReg', ['mixing=banana'], [], raw=(.63, .70), r2=(.97, 1), gap=(-.01, .02)),
    row('sine, SIGReg', ['mixing=sine'], [], raw=(.87, .92), r2=(.97, 1), gap=(-.01, .02)),
    row('spiral, SIGReg', ['mixing=spiral'], ['mlp_dim=128', 'steps=6000'], raw=(0, .04), r2=(.95, 1)),
    row('coupling, SIGReg', ['mixing=coupling'], [], r2=(.97, 1)),
    row('banana, whitening', ['mixing=banana'], WHITE, r2=(.97, 1), gap=(-.01, .02)),
    row('lambda 0', ['mixing=banana'], ['sigreg_weight=0'], variance=(0, 1e-3)),
    row('K = 4 of n = 2', ['mixing=banana'], ['latent_dim=4'], gap=(.03, 1)),
    *[row(f'matched encoder, n = {n}', [f'dim={n}', 'mixing=coupling', f'mixing.seed={m}', 'rho=0.9025,0.9025'],
          [*MATCHED, f'latent_dim={n}'], restarts=r, r2=(.999, 1), quarter=(.0478, .0498))
      for n, m, r in ((2, 0, 3), (8, 1, 1), (16, 0, 3), (64, 0, 1))],
    row('rho (.99, .985), whitening', ['mixing=banana', 'rho=0.99,0.985'], [*WHITE, 'steps=8000'], r2=(.97, 1)),
    row('rho (.99, .97), whitening', ['mixing=banana', 'rho=0.99,0.97'], WHITE, r2=(.46, .52), first=(.97, 1), last=(-.05, .05)),
    row('rho (.99, .90), whitening', ['mixing=banana', 'rho=0.99,0.9'], WHITE, r2=(.46, .52), first=(.97, 1), last=(-.05, .05)),
    row('rho (.99, .97), SIGReg', ['mixing=banana', 'rho=0.99,0.97'], []),
    row('rho (.99, .90), SIGReg', ['mixing=banana', 'rho=0.99,0.9'], []),
    row('lognormal(1) copula', ['law=lognormal'], [], r2=(.53, .62), r2u=(.97, 1)),
    row('lognormal(.5) copula, banana', ['law=lognormal_half', 'mixing=banana'], [], r2=(.83, .90), r2u=(.97, 1)),
    row('cube copula', ['law=cube'], [], r2=(.55, .65), r2u=(.97, 1)),
    row('Laplace AR(1), rho .8', ['dim=1', 'law=laplace_ar', 'rho=0.8,0.8'], [*WHITE, 'latent_dim=1'], r2=(.79, .89)),
    row('exponential AR(1), rho .8', ['dim=1', 'law=exponential_ar', 'rho=0.8,0.8'], [*WHITE, 'latent_dim=1'], r2=(.1, .4)),
    row('reflected Brownian', ['dim=1', 'law=reflected'], [*WHITE, 'latent_dim=1'], r2=(.975, .9955)),
    row('actions, n = 8, m = 2', [*ACTING], [*MATCHED, 'latent_dim=8'], restarts=2, r2=(.99, 1), gap=(-.01, .01), cond=(1, 1.1)),
    row('actions of rank 1', [*ACTING, 'action.rank=1'], [*MATCHED, 'latent_dim=8'], restarts=2, r2=(.99, 1), excitation=(1e6, np.inf)),
]


def run(args, *words):
    words = [args.umwelt, *words, '--json', '--quiet', '--threads', str(args.threads)]
    return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


def train(args, data, out, seed, settings):
    """Train into a folder; the alignment loss of the last step."""
    return run(args, 'train', data, '--out', out, '--force', '--preset', 'identifiability', '--seed', str(seed), *settings)['prediction_loss']


def episodes(args, spec, folder, seed):
    """Fresh episodes as float64 arrays [episodes, rows, numbers]."""
    path = os.path.join(folder, 'test.uw')
    variations = [word for v in spec['world'] for word in ('--variation', v)]
    run(args, 'collect', 'ou', '--out', path, '--force', '--episodes', '200', '--steps', '100', '--seed', str(1000 + seed), *variations)
    with umwelt.Dataset(path) as data:
        return {name: data[name].reshape(len(data.lengths), -1, *column.shape).astype(float) for name, column in data.columns.items()}


def halves(array):
    """The two halves of the episodes, rows side by side."""
    flat = array.reshape(len(array), -1, array.shape[-1])
    middle = len(flat) // 2
    return flat[:middle].reshape(-1, flat.shape[-1]), flat[middle:].reshape(-1, flat.shape[-1])


def r2(x, y):
    """Held-out R2 of every number of y by least squares from x, with an intercept."""
    (x0, x1), (y0, y1) = halves(x), halves(y)
    x0, x1 = (np.hstack([a, np.ones((len(a), 1))]) for a in (x0, x1))
    error = y1 - x1 @ np.linalg.lstsq(x0, y0, rcond=None)[0]
    return 1 - (error ** 2).mean(0) / y1.var(0)


def rotation(h, z):
    """Held-out R2, pooled, of z by one rotation (of the larger width) and one scale of h."""
    (h0, h1), (z0, z1) = halves(h), halves(z)
    hm, zm = h0.mean(0), z0.mean(0)
    u, s, v = np.linalg.svd((h0 - hm).T @ (z0 - zm), full_matrices=False)
    scale = s.sum() / ((h0 - hm) ** 2).sum()
    return 1 - ((z1 - zm - scale * (h1 - hm) @ u @ v) ** 2).sum() / ((z1 - z1.mean(0)) ** 2).sum()


def slope(x, a, y):
    """What y gains per unit of a, x held: [numbers of a, numbers of y]."""
    design = np.hstack([x, a, np.ones((len(x), 1))])
    return np.linalg.lstsq(design, y, rcond=None)[0][x.shape[1]:-1]


def is_gaussian(spec):
    """Whether the bound holds: a Gaussian law, one rho."""
    rhos = [v[4:].split(',') for v in spec['world'] if v.startswith('rho=')]
    return not any(v.startswith('law=') for v in spec['world']) and all(a == b for a, b in rhos)


def measure(spec, data, h):
    z, n = data['z'], data['z'].shape[-1]
    rho = next((float(v[4:].split(',')[0]) for v in spec['world'] if v.startswith('rho=')), .95)
    flat = h.reshape(-1, h.shape[-1])
    centred = flat - flat.mean(0)
    cov = centred.T @ centred / len(centred)
    each = r2(h, z)
    align = ((h[:, 1:] - h[:, :-1]) ** 2).mean()
    out = {'raw': r2(data['x'], z).mean(), 'r2': each.mean(), 'first': each[0], 'last': each[-1], 'gap': each.mean() - rotation(h, z),
           'variance': np.trace(cov), 'alignment': align, 'quarter': align / 4}
    if h.shape[-1] == n and is_gaussian(spec):
        out['eps'] = np.linalg.norm(cov - np.eye(n))
        excess = max(0., align * n - 2 * (1 - rho) * np.trace(cov)) / (2 * rho * (1 - rho))
        out['bound'] = excess + (out['eps'] + excess) ** 2
        u, s, v = np.linalg.svd(centred.T @ z.reshape(-1, n))
        out['procrustes'] = ((centred @ u @ v - z.reshape(-1, n)) ** 2).sum(1).mean()
    if 'u' in data:
        out['r2u'] = r2(h, data['u']).mean()
    if 'action' in data:
        pairs = [x[:, :-1].reshape(-1, x.shape[-1]) for x in (h, z, data['action'])]
        nexts = [x[:, 1:].reshape(-1, x.shape[-1]) for x in (h, z)]
        out['excitation'] = np.linalg.cond(np.cov(pairs[2].T))
        if out['excitation'] < 1e6:
            reached, truth = slope(pairs[0], pairs[2], nexts[0]), slope(pairs[1], pairs[2], nexts[1])
            found = np.linalg.svd(np.linalg.pinv(truth) @ reached)[1][:truth.shape[0]]
            out['cond'] = found[0] / found[-1]
    return {k: float(v) for k, v in out.items()}


def result(args, spec, seed):
    folder = os.path.join(args.out, re.sub('[^a-z0-9]+', '-', spec['name'].lower()).strip('-') + f'-{seed}')
    path = os.path.join(folder, 'result.json')
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        data, model = os.path.join(folder, 'train.uw'), os.path.join(folder, 'run')
        variations = [word for v in spec['world'] for word in ('--variation', v)]
        settings = [word for s in ['observe=x', *BASE, *spec['train']] for word in ('--set', s)]
        run(args, 'collect', 'ou', '--out', data, '--force', '--episodes', '1000', '--steps', '100', '--seed', str(seed), *variations)
        best = min((train(args, data, f'{model}{r}', seed + 100 * r, settings), r) for r in range(spec['restarts']))[1]
        test = episodes(args, spec, folder, seed)
        loaded = umwelt.Model.load(os.path.join(f'{model}{best}', 'model.safetensors'))
        x = test['x']
        h = loaded.encode(x.reshape(-1, x.shape[-1]).astype(np.float32)).astype(float).reshape(*x.shape[:2], -1)
        with open(path, 'w') as file:
            json.dump(measure(spec, test, h), file)
    with open(path) as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='build/release/umwelt')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--only', default='', help='rows whose name holds this')
    parser.add_argument('--out', default='identifiability')
    args = parser.parse_args()
    bad = 0
    print('| world | expected | measured | R2(h→z) | gap | eps | Procrustes ≤ bound | alignment |\n' + '|---' * 8 + '|')
    for spec in ROWS:
        for seed in args.seeds if args.only in spec['name'] else ():
            got = result(args, spec, seed)
            wrong = [k for k, (low, high) in spec['bands'].items() if not low <= got[k] <= high]
            bad += len(wrong)
            expected = ', '.join(f'{k} {low:g} .. {high:g}' for k, (low, high) in spec['bands'].items()) or 'not predicted'
            measured = ', '.join(f'{k} {got[k]:.4g}' + (' **(!)**' if k in wrong else '') for k in spec['bands']) or '–'
            eps = f"{got['eps']:.3f}" if 'eps' in got else '–'
            pair = f"{got['procrustes']:.4f} ≤ {got['bound']:.4f}" if 'bound' in got else '–'
            print(f"| {spec['name']}{f', seed {seed}' if len(args.seeds) > 1 else ''} | {expected} | {measured} | {got['r2']:.4f} | "
                  f"{got['gap']:.4f} | {eps} | {pair} | {got['alignment']:.4f} |", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
