"""The recipe over several training seeds: each with its own data, weights, pairs and test colours, pooled with the exact interval.

    python3 bench/recipe.py --umwelt build/release/umwelt --seeds 0 1 2 --out recipe

Runs `umwelt demo --compare` per seed (about two minutes each on two quiet AVX-512 cores), keeps its JSON in --out, and prints the tables
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


def cells(stress):
    yield 'nominal', stress['nominal']
    for factor, values in stress['factors'].items():
        for value, rate in values.items():
            yield f'{factor} {value}', rate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='build/release/umwelt')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--out', default='recipe')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    runs = [run(args, seed) for seed in args.seeds]
    for title, pick in (('colour-robust', lambda d: d), ('plain', lambda d: d['compare'])):
        print(f'\n| {title} | ' + ' | '.join(f'seed {s}' for s in args.seeds) + ' | pooled |')
        print('|---' * (len(runs) + 2) + '|')
        tables = [[('success', pick(d)['eval']['success']), ('across rooms', pick(d)['eval']['hard']), *cells(pick(d)['stress'])]
                  for d in runs]
        for rows in zip(*tables):
            successes, episodes = sum(r['successes'] for _, r in rows), sum(r['episodes'] for _, r in rows)
            each = ' | '.join(f"{r['successes']}/{r['episodes']}" for _, r in rows)
            print(f'| {rows[0][0]} | {each} | {text(successes, episodes)} |')


if __name__ == '__main__':
    main()
