"""Both worlds, steps per second: umwelt against the reference environments, alternated A B A B, in one run.

    python world.py [--env two_room|pusht] [--pairs N]

Per world: the bare step, the step with the same 224 x 224 picture, our direct 64 x 64 picture against that same peer (it
has no other), and two threads of ours against two processes of the peer.
"""
import argparse
import sys
import time

import peer
import reference


ENVS = {'two_room': 'swm/TwoRoom-v1', 'pusht': 'swm/PushT-v1'}


def serve(world, picture):
    import gymnasium
    import numpy
    import torch
    torch.set_num_threads(1)
    reference.load()  # registers the environments
    env = gymnasium.make(ENVS[world], render_mode='rgb_array', max_episode_steps=10 ** 9, disable_env_checker=True).unwrapped
    env.reset(seed=0)
    actions = numpy.random.default_rng(0).uniform(-1, 1, (4096, 2)).astype(numpy.float32)
    steps = 200 if picture else 2000

    def measure():
        env.reset(seed=0)
        start = time.perf_counter()
        for i in range(steps):
            env.step(actions[i])
            if picture:
                env.render()
        return steps / (time.perf_counter() - start)

    measure()
    peer.serve(measure)


def compare(args, world):
    """One umwelt run gives all our figures of a world; the peers answer in turn, two of them at once for two processes."""
    bare = peer.Peer(__file__, ['--serve', world], 1, 'passive')
    drawn = [peer.Peer(__file__, ['--serve', world, '--picture'], 1, 'passive') for _ in range(2)]
    rows = {}
    for _ in range(args.pairs):
        ours = {(b['name'], b['settings']): b['value'] for b in peer.umwelt_benches(args.umwelt, 'env', 0)}

        def add(what, mine, theirs):
            rows.setdefault(what, ([], []))[0].append(mine)
            rows[what][1].append(theirs)

        one = drawn[0].measure()
        for d in drawn:
            d.ask()
        both = sum(d.answer() for d in drawn)
        add('step', ours[f'{world} step', 'one thread'], bare.measure())
        add('step + the same picture of 224', ours[f'{world} step + picture 224', 'one thread'], one)
        add('step + our direct picture of 64, theirs of 224', ours[f'{world} step + picture 64', 'one thread'], one)
        add('step + picture of 224, two threads against two processes', ours[f'{world} step + picture 224', 'two threads'], both)
        add('two threads against one, step + picture of 224', ours[f'{world} step + picture 224', 'two threads'],
            ours[f'{world} step + picture 224', 'one thread'])
    for p in [bare, *drawn]:
        p.close()
    for what, (ours, theirs) in rows.items():
        peer.report(f'{world}: {what}, per second', ours, theirs, [a / b for a, b in zip(ours, theirs)], {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--env', choices=ENVS)
    parser.add_argument('--pairs', type=int, default=7)
    parser.add_argument('--serve', choices=ENVS, help=argparse.SUPPRESS)
    parser.add_argument('--picture', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.picture)
    try:
        for world in [args.env] if args.env else ENVS:
            compare(args, world)
    except RuntimeError:
        print('skip: stable-worldmodel is not installed (see README.md)')
    return 0


if __name__ == '__main__':
    sys.exit(main())
