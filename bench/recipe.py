"""The recipe over several training seeds: each with its own data, weights, pairs and test colours, pooled with the exact interval.

    python3 bench/recipe.py --umwelt build/release/umwelt --seeds 0 1 2 --out recipe
    python3 bench/recipe.py --umwelt build/release/umwelt --seeds 1 2 --out layouts --recipe layouts

The second is other rooms in every episode (preset two_room_layouts): collect with the layout drawn, train, and a card whose last rows
were held out of training. The first runs `umwelt demo --compare` per seed (about two minutes each on two quiet AVX-512 cores), keeps its JSON in --out, and prints the tables
that docs/recipe.md quotes. A seed whose JSON is already there is not run again.
"""
import argparse
import json
import math
import os
import subprocess


def tail(successes, episodes, rate):
    """P(X >= successes) under Binomial(episodes, rate)."""
    return math.fsum(math.comb(episodes, k) * rate ** k * (1 - rate) ** (episodes - k) for k in range(successes, episodes + 1))


def exact(successes, episodes):
    """Clopper-Pearson 95 %, by bisection."""
    def solve(holds):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        return low
    lower = 0.0 if successes == 0 else solve(lambda p: tail(successes, episodes, p) < 0.025)
    upper = 1.0 if successes == episodes else solve(lambda p: 1 - tail(successes + 1, episodes, p) > 0.025)
    return lower, upper


def text(successes, episodes):
    low, high = exact(successes, episodes)
    return f'{successes}/{episodes} = {100 * successes / episodes:.1f} % [{100 * low:.1f}, {100 * high:.1f}]'


def run(args, seed):
    path = os.path.join(args.out, f'seed{seed}.json')
    if not os.path.exists(path):
        result = subprocess.run([args.umwelt, 'demo', '--compare', '--seed', str(seed), '--out', os.path.join(args.out, f'seed{seed}'),
                                 '--card-episodes', '200', '--json'], check=True, stdout=subprocess.PIPE, text=True).stdout
        with open(path, 'w') as file:
            file.write(result)
    with open(path) as file:
        return json.load(file)


LAYOUT = ['wall.thickness', 'wall.axis', 'door.size']
HELD_OUT = ['door.position', 'door.number', 'texture']
CARD = LAYOUT + ['background.color', 'agent.radius', 'rendering.render_target', 'distractors', 'all', 'goal.colors'] + HELD_OUT


def run_layouts(args, seed):
    """Collect, train, stress; one JSON per seed."""
    def umwelt(*words):
        return subprocess.run([args.umwelt, *words, '--seed', str(seed), '--threads', str(args.threads), '--quiet'], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
    path, data, out = (os.path.join(args.out, f'seed{seed}{end}') for end in ('.json', '.uw', ''))
    if not os.path.exists(path):
        varied = [word for name in LAYOUT for word in ('--variation', f'{name}~sample')]
        umwelt('collect', 'two_room', '--episodes', '600', '--steps', '100', '--out', data, '--force', *varied)
        umwelt('train', data, '--preset', 'two_room_layouts', '--out', out, '--force')
        result = umwelt('stress', os.path.join(out, 'model.safetensors'), '--objective', 'min', '--episodes', str(args.episodes),
                        '--factors', ','.join(CARD), '--json')
        with open(path, 'w') as file:
            file.write(result)
    with open(path) as file:
        return json.load(file)


def cells(stress):
    yield 'nominal', stress['nominal']
    for factor, values in stress['factors'].items():
        for value, rate in values.items():
            mark = '' if rate['in_training'] else ', held out'
            yield f'{factor} {value}{mark}', rate


def print_table(title, seeds, tables):
    print(f'\n| {title} | ' + ' | '.join(f'seed {s}' for s in seeds) + ' | pooled |')
    print('|---' * (len(seeds) + 2) + '|')
    for rows in zip(*tables):
        successes, episodes = sum(r['successes'] for _, r in rows), sum(r['episodes'] for _, r in rows)
        each = ' | '.join(f"{r['successes']}/{r['episodes']}" for _, r in rows)
        print(f'| {rows[0][0]} | {each} | {text(successes, episodes)} |')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='build/release/umwelt')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--out', default='recipe')
    parser.add_argument('--recipe', choices=['colours', 'layouts'], default='colours')
    parser.add_argument('--episodes', type=int, default=200, help='per cell of the layouts card')
    parser.add_argument('--threads', type=int, default=0)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    if args.recipe == 'layouts':
        print_table('other rooms', args.seeds, [list(cells(run_layouts(args, seed))) for seed in args.seeds])
        return
    runs = [run(args, seed) for seed in args.seeds]
    for title, pick in (('colour-robust', lambda d: d), ('plain', lambda d: d['compare'])):
        print_table(title, args.seeds, [[('success', pick(d)['eval']['success']), ('across rooms', pick(d)['eval']['hard']),
                                         *cells(pick(d)['stress'])] for d in runs])


if __name__ == '__main__':
    main()
