"""Windows per second from disk: 4 frames of 224 x 224 five rows apart, at random, in batches of 128, page cache warm.

    python loader.py [--data FOLDER] [--episodes N] [--pairs N]

One PushT recording in five forms: umwelt's container, HDF5 as the reference writes it (raw, a chunk a row), the same under Blosc
and gzip, and Lance. The peers are the reference's own readers behind PyTorch's DataLoader, with no and with two workers, numbers cached
as its configuration does; umwelt reads the same HDF5 files in place, and its container against Lance. umwelt's batch is u8 as the
peers' is; theirs holds pixels, action and state, ours every column of the file.
"""
import argparse
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import peer

KEYS = ['pixels', 'action', 'state']
BATCH = 128
BATCHES = 4

if __name__ == '__mp_main__':  # a spawned worker imports this file before it unpickles its dataset
    import reference
    reference.load()


def file_of(folder, form):
    return pathlib.Path(folder, {'uw': 'data.uw', 'lance': 'data.lance'}.get(form, form + '.h5'))


def build(umwelt, folder, episodes):
    """Record once; the other forms hold the same numbers (Lance: the pictures as its JPEG)."""
    import h5py
    import hdf5plugin
    uw, raw = file_of(folder, 'uw'), file_of(folder, 'raw')
    if not uw.exists():
        subprocess.run([umwelt, 'collect', 'pusht', '--episodes', str(episodes), '--size', '224', '--out', str(uw), '--quiet'], check=True,
                       stdout=subprocess.DEVNULL)
    if not raw.exists():
        subprocess.run([umwelt, 'convert', str(uw), str(raw), '--quiet'], check=True, stdout=subprocess.DEVNULL)
    options = {'blosc': hdf5plugin.Blosc(cname='lz4', clevel=5), 'gzip': {'compression': 'gzip', 'compression_opts': 4}}
    with h5py.File(raw) as source:
        for name, option in options.items():
            if file_of(folder, name).exists():
                continue
            with h5py.File(file_of(folder, name), 'w', libver='latest') as to:
                for key in source:
                    if key.startswith('ep_'):
                        to[key] = source[key][:]
                    else:
                        to.create_dataset(key, data=source[key][:], chunks=source[key].chunks, **dict(option))


def build_lance(folder):
    """With the reference's writer, in a process of its own: the comparison goes on where it cannot be imported."""
    import h5py
    import numpy
    import reference
    reference.load()
    from stable_worldmodel.data.formats.lance import LanceWriter
    to = file_of(folder, 'lance')
    if to.exists():
        return
    with h5py.File(file_of(folder, 'raw')) as source, LanceWriter(to, mode='overwrite') as writer:
        for length, first in zip(source['ep_len'][:], source['ep_offset'][:]):
            rows = {key: source[key][first:first + length] for key in KEYS}
            writer.write_episodes([{key: list(value if key == 'pixels' else numpy.nan_to_num(value.astype(numpy.float32))) for key, value in rows.items()}])


def decode_jpeg_fast(_=0):
    """Lance decodes through torchvision, whose compiled part may be missing; simplejpeg is the same libjpeg-turbo."""
    import torch
    torch.set_num_threads(1)
    import stable_worldmodel.data.formats.lance as lance
    try:
        import simplejpeg
    except ImportError:
        return

    def decode(blobs, mode=None):
        return [torch.from_numpy(simplejpeg.decode_jpeg(blob.numpy())).permute(2, 0, 1) for blob in blobs]

    lance._tv_decode_jpeg = decode


def serve(folder, form, workers):
    import reference
    reference.load()
    import torch
    torch.set_num_threads(1)
    if form == 'lance':
        from stable_worldmodel.data.formats.lance import LanceDataset as Dataset
        decode_jpeg_fast()
    else:
        from stable_worldmodel.data.formats.hdf5 import HDF5Dataset as Dataset
    data = Dataset(path=file_of(folder, form), frameskip=5, num_steps=4, keys_to_load=list(KEYS), keys_to_cache=KEYS[1:])
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers,
                                         persistent_workers=workers > 0, prefetch_factor=3 if workers else None,
                                         worker_init_fn=decode_jpeg_fast if workers and form == 'lance' else None)

    def batches():
        while True:
            yield from loader

    stream = batches()

    def measure():
        for _ in range(3 * workers):  # what was fetched while nobody asked
            next(stream)
        start = time.perf_counter()
        for _ in range(BATCHES):
            batch = next(stream)
        seconds = time.perf_counter() - start
        assert batch['pixels'].shape == (BATCH, 4, 3, 224, 224) and batch['action'].shape == (BATCH, 4, 10)
        return BATCHES * BATCH / seconds

    next(stream)
    peer.serve(measure)


def ours(args, folder, form, threads):
    name = f"{file_of(folder, form).name}, {'all threads' if threads > 1 else 'one thread'}"
    return peer.umwelt_bench(args.umwelt, 'loader', name, threads, ['--data', str(file_of(folder, form))])


def compare(args, folder, form, mine):
    """The better of no and two workers, chosen before; Lance has two, as it is meant to be read."""
    def start(workers):
        return peer.Peer(__file__, ['--serve', form, '--data', folder, '--workers', str(workers)], 1, 'passive')

    workers = 2
    if form != 'lance':
        found = []
        for count in (0, 2):
            other = start(count)
            found.append((max(other.measure(), other.measure()), count))
            other.close()
        workers = max(found)[1]
    other = start(workers)
    one, all_threads, theirs = [], [], []
    for _ in range(args.pairs):
        all_threads.append(ours(args, folder, mine, args.threads))
        theirs.append(other.measure())
        one.append(ours(args, folder, mine, 1))
    other.close()
    who = 'Lance' if form == 'lance' else f'HDF5 ({form})'
    settings = {'peer': f"stable-worldmodel's {who} reader, {workers} workers, {other.malloc}", 'form': mine,
                'frames': args.episodes * 101}
    for what, values in (('all threads', all_threads), ('one thread', one)):
        peer.report(f'{file_of(folder, mine).name}, {what}', values, theirs, [a / b for a, b in zip(values, theirs)],
                    {**settings, 'threads': args.threads if what == 'all threads' else 1}, args.record)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--data', help='folder that keeps the recordings (a temporary one without)')
    parser.add_argument('--episodes', type=int, default=24, help='of 101 rows')
    parser.add_argument('--forms', default='raw,blosc,gzip,lance')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--record')
    parser.add_argument('--serve', help=argparse.SUPPRESS)
    parser.add_argument('--workers', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--build-lance', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.data, args.serve, args.workers)
    if args.build_lance:
        return build_lance(args.data)
    missing = [name for name in ('h5py', 'hdf5plugin', 'torch', 'stable_worldmodel') if not importlib.util.find_spec(name)]
    if missing:
        print(f'skip: {missing[0]} is not installed (see README.md)')
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.data or temporary
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        build(args.umwelt, folder, args.episodes)
        for form in args.forms.split(','):
            if form == 'lance' and subprocess.run([sys.executable, __file__, '--build-lance', '--data', folder]).returncode:
                print('skip: no Lance (see README.md)')
                continue
            try:
                compare(args, folder, form, 'uw' if form == 'lance' else form)
            except RuntimeError as error:
                print(f'skip: {form}: {error}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
