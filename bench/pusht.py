"""The PushT model from nothing: recordings, training, every protocol, the curve over training time, the card.

    python3 bench/pusht.py --umwelt build/release/umwelt --out pusht

Takes the better part of two hours on two AVX-512 cores, of which training is at most one. What is already in --out is not made again, so that it goes
on after a stop. Prints the tables that docs/models/pusht.md quotes. The curve needs checkpoints copied while training runs (every --every
seconds); they become models with the metadata of the finished one.
"""
import argparse
import glob
import json
import os
import shutil
import struct
import subprocess
import time

EPISODES = {'train': (5000, 100), 'held': (400, 900000)}  # episodes and seed; a reset takes seed + episode
SEARCH = ['--objective', 'min', '--horizon', '5', '--iters', '5']
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
    """Train, copying the newest whole checkpoint every so often with the seconds since the start."""
    run, copies = os.path.join(args.out, 'run'), os.path.join(args.out, 'copies')
    if os.path.exists(os.path.join(run, 'model.safetensors')):
        return run
    os.makedirs(copies, exist_ok=True)
    start = last = time.time()
    work = subprocess.Popen([args.umwelt, 'train', data, '--preset', 'pusht', '--out', run, '--seed', '0',
                             '--threads', str(args.threads), '--quiet'])
    while work.poll() is None:
        time.sleep(5)
        whole = sorted(glob.glob(os.path.join(run, 'checkpoints', '*', 'MANIFEST')))
        if not whole or time.time() - last < args.every:
            continue
        state = os.path.join(os.path.dirname(whole[-1]), 'state.safetensors')
        last = time.time()
        try:
            shutil.copy(state, os.path.join(copies, f'{int(last - start):05d}.safetensors'))
        except FileNotFoundError:  # replaced meanwhile: the next one will do
            pass
    if work.returncode:
        raise SystemExit('training failed')
    return run


def tensors(path):
    with open(path, 'rb') as file:
        size, = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(size))
        return header, file.read()


def as_model(model, state, out):
    """Write the network of a checkpoint with the metadata of a finished model of the same run."""
    want, _ = tensors(model)
    have, numbers = tensors(state)
    header, data = {'__metadata__': want.pop('__metadata__')}, bytearray()
    for name, tensor in want.items():
        first, end = have[name]['data_offsets']
        raw = numbers[first:end]
        if tensor['dtype'] == 'I64':  # counters are floats while they count
            raw = struct.pack('<q', int(struct.unpack('<f', raw)[0]))
        header[name] = dict(tensor, data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(out, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


def evaluate(args, model, protocol, episodes, *more):
    name = '-'.join([os.path.basename(model).removesuffix('.safetensors'), protocol, *more]).replace('-' * 3, '-')
    words = ['eval', model, '--protocol', protocol, '--episodes', str(episodes), '--replan', '1', *SEARCH, *more,
             '--out', os.path.join(args.out, name + '.csv'), '--force']
    if protocol != 'random-goal':
        words += ['--data', os.path.join(args.out, 'held.uw')]
    return kept(os.path.join(args.out, name + '.json'), lambda: umwelt(args, *words))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='build/release/umwelt')
    parser.add_argument('--out', default='pusht')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--episodes', type=int, default=200)
    parser.add_argument('--every', type=float, default=120, help='seconds between copies of checkpoints')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    data, held = record(args, 'train'), record(args, 'held')
    run = train(args, data)
    model = os.path.join(run, 'model.safetensors')
    for protocol in ('released', 'clear-moderate', 'clear-strict', 'random-goal'):
        print(protocol, json.dumps(evaluate(args, model, protocol, args.episodes)))
    print('by readout', json.dumps(evaluate(args, model, 'released', args.episodes, '--distance', 'readout')))
    for state in sorted(glob.glob(os.path.join(args.out, 'copies', '*.safetensors'))):
        then = os.path.join(args.out, 'at-' + os.path.basename(state))
        as_model(model, state, then)
        print('curve', json.dumps(evaluate(args, then, 'released', args.episodes)))
    print('probe', json.dumps(kept(os.path.join(args.out, 'probe.json'), lambda: umwelt(args, 'probe', model, held, '--mlp'))))
    print('card', json.dumps(kept(os.path.join(args.out, 'card.json'), lambda: umwelt(
        args, 'stress', model, '--factors', FACTORS, '--episodes', '50', *SEARCH))))


if __name__ == '__main__':
    main()
