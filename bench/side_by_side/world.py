"""TwoRoom, one step and its 224 x 224 picture: umwelt against the reference environment, alternated, one thread each."""
import argparse
import sys
import time

import peer


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


def serve():
    import logging
    import warnings
    warnings.filterwarnings('ignore')
    logging.disable(logging.CRITICAL)
    import gymnasium
    import numpy
    import torch
    torch.set_num_threads(1)
    declare_torchvision()
    import stable_worldmodel  # noqa: F401  (registers the environment)
    env = gymnasium.make('swm/TwoRoom-v1', render_mode='rgb_array', max_episode_steps=10 ** 9, disable_env_checker=True).unwrapped
    env.reset(seed=0)
    actions = numpy.random.default_rng(0).uniform(-1, 1, (4096, 2)).astype(numpy.float32)

    def measure():
        start = time.perf_counter()
        for i in range(200):
            env.step(actions[i])
            env.render()
        return 200 / (time.perf_counter() - start)

    measure()
    peer.serve(measure)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--pairs', type=int, default=7)
    parser.add_argument('--serve', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve()
    try:
        other = peer.Peer(__file__, ['--serve'], 1, 'passive')
    except RuntimeError:
        print('skip: stable-worldmodel is not installed (see README.md)')
        return 0
    ours, theirs = [], []
    for _ in range(args.pairs):
        ours.append(peer.umwelt_bench(args.umwelt, 'world', 'TwoRoom step + picture 224', 1))
        theirs.append(other.measure())
    other.close()
    peer.report('TwoRoom step + 224 x 224 picture, per second', ours, theirs, [a / b for a, b in zip(ours, theirs)], {'threads': 1})
    return 0


if __name__ == '__main__':
    sys.exit(main())
