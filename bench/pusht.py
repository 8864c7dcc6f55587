"""The PushT model from nothing: recordings, training, every protocol, the curve over training time, the card.

    python3 bench/pusht.py --umwelt build/release/umwelt --out pusht

Takes the better part of two hours on two AVX-512 cores, of which training is at most one. What is already in --out is not made again, so that it goes
on after a stop. Prints what docs/models/pusht.md quotes, one JSON object a line.
"""
import argparse
import csv
import glob
import json
import math
import os
import subprocess

EPISODES = {'train': (5000, 100), 'held': (400, 900000)}  # episodes and seed; a reset takes seed + episode
SEARCH = ['--objective', 'min', '--horizon', '5', '--iters', '5', '--init-std', '0.3']
SPREADS = ('1', '0.6', '0.4', '0.3')  # looked at on the pairs of seeds 0 and 1; the figures are of seeds 2 and 3
READOUT = ['--distance', 'readout']
FACTORS = 'agent.color,background.color,block.color,goal.color,agent.scale,block.scale,block.shape,all,goal.colors,distractors'


def umwelt(args, *words):
    """Run a verb with --json and return what it says."""
    done = subprocess.run([args.umwelt, *words, '--json', '--quiet', '--threads', str(args.threads)],
                          check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def kept(path, make):
    """Return the JSON at path, making it first where it is not."""
    if not os.path.exists(path):
        result = make()
        with open(path, 'w', encoding='utf-8') as out:
            json.dump(result, out)
    with open(path, encoding='utf-8') as text:
        return json.load(text)


def record(args, name):
    path = os.path.join(args.out, name + '.uw')
    episodes, seed = EPISODES[name]
    kept(path + '.json', lambda: umwelt(args, 'collect', 'pusht', '--policy', 'push', '--steps', '200', '--episodes',
                                        str(episodes), '--seed', str(seed), '--out', path, '--force'))
    return path


def train(args, data):
    """Train, keeping a model every thousand steps."""
    run = os.path.join(args.out, 'run')
    kept(run + '.json', lambda: umwelt(args, 'train', data, '--preset', 'pusht', '--out', run, '--seed', '0',
                                       '--set', 'milestone_every=1000', '--force'))
    return run


def milestones(run):
    """Yield the models of a run's milestones with the seconds that training had taken."""
    paths = sorted(glob.glob(os.path.join(run, 'milestones', '*.safetensors')))
    for path in paths[1:]:  # the first was made before any step
        yield path, os.path.getmtime(path) - os.path.getmtime(paths[0])


def evaluate(args, model, protocol, *more, search=SEARCH):
    name = '-'.join([os.path.basename(model).removesuffix('.safetensors'), protocol, *more, *search[7:]]).replace('---', '-')
    words = ['eval', model, '--protocol', protocol, '--episodes', str(args.episodes), '--replan', '1', *search, *more,
             '--out', os.path.join(args.out, name + '.csv'), '--force']
    if protocol != 'random-goal':
        words += ['--data', os.path.join(args.out, 'held.uw')]
    return kept(os.path.join(args.out, name + '.json'), lambda: umwelt(args, *words))


def kinds(paths):
    """Count successes by what the goal asks for, from the tables of evaluations."""
    counts = {}
    for path in paths:
        with open(path, encoding='utf-8') as table:
            for row in csv.DictReader(table):
                move = [float(row['goal.block.' + axis]) - float(row['start.block.' + axis]) for axis in ('x', 'y', 'angle')]
                turns = abs(math.degrees(math.remainder(move[2], math.tau))) > 20
                kind = 'turns' if turns else 'moves' if math.hypot(*move[:2]) > 20 else 'stays'
                won, of = counts.get(kind, (0, 0))
                counts[kind] = won + int(row['success']), of + 1
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='build/release/umwelt')
    parser.add_argument('--out', default='pusht')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--episodes', type=int, default=200)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    data, held = record(args, 'train'), record(args, 'held')
    run = train(args, data)
    model = os.path.join(run, 'model.safetensors')
    for spread in SPREADS:
        for seed in ('0', '1'):
            print('spread', spread, json.dumps(evaluate(args, model, 'released', *READOUT, '--seed', seed,
                                                        search=[*SEARCH[:7], spread])))
    for seed in ('2', '3'):
        print('released', json.dumps(evaluate(args, model, 'released', *READOUT, '--seed', seed)))
        print('released in latents', json.dumps(evaluate(args, model, 'released', '--seed', seed)))
    for protocol in ('clear-moderate', 'clear-strict', 'random-goal'):
        print(protocol, json.dumps(evaluate(args, model, protocol, *READOUT, '--seed', '2')))
    fresh = [os.path.join(args.out, f'model-released-distance-readout-seed-{seed}-0.3.csv') for seed in ('2', '3')]
    print('by what the goal asks for', kinds(fresh))
    for then, seconds in milestones(run):
        print('curve', f'{seconds:.0f} s', json.dumps(evaluate(args, then, 'released', *READOUT, '--seed', '2')))
    print('probe', json.dumps(kept(os.path.join(args.out, 'probe.json'), lambda: umwelt(args, 'probe', model, held, '--mlp'))))
    print('card', json.dumps(kept(os.path.join(args.out, 'card.json'), lambda: umwelt(
        args, 'stress', model, '--factors', FACTORS, '--episodes', '40', '--seed', '2', *SEARCH))))


if __name__ == '__main__':
    main()
