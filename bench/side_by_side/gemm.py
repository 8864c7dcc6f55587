"""LeWM's own matrix products: umwelt's packed kernels against oneDNN and MKL through PyTorch, alternated, one thread.

    python gemm.py [--pairs N] [--precision f32|bf16] [--record FILE]

The peer multiplies with a weight that it laid out beforehand (what torch.compile's freezing does) and with the weight as
stored; the faster of the two counts. Shapes are those that `umwelt bench gemm` (`gemm-bf16`) prints as packed.
"""
import argparse
import re
import sys
import time

import peer


def serve(m, k, n, gelu, bf16):
    import torch
    torch.set_num_threads(1)
    kind = torch.bfloat16 if bf16 else torch.float32
    x, w, b = (torch.randn(*s).to(kind) for s in ((m, k), (n, k), (n,)))
    linear = torch.nn.functional.linear
    packed = torch.ops.mkldnn._reorder_linear_weight(w, m)

    def stored():
        y = linear(x, w, b)
        return torch.nn.functional.gelu(y) if gelu else y

    def laid_out():
        return torch.ops.mkldnn._linear_pointwise(x, packed, b, 'gelu' if gelu else 'none', [], 'none' if gelu else '')

    repeats = max(3, int(3e9 / (2 * m * k * n)))

    def speed(run):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        return 2 * m * k * n * repeats / (time.perf_counter() - start) * 1e-9

    def measure():
        best = 0
        with torch.inference_mode():
            for run in (stored, laid_out):
                try:
                    best = max(best, speed(run), speed(run))
                except RuntimeError:
                    continue
        return best

    peer.serve(measure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--precision', choices=['f32', 'bf16'], default='f32')
    parser.add_argument('--record', help='a JSON file that umwelt bench --peers reads')
    parser.add_argument('--serve', type=int, nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    bf16 = args.precision == 'bf16'
    if args.serve:
        return serve(*args.serve, bf16)
    bench = 'gemm-bf16' if bf16 else 'gemm'
    rows = {}
    for one in peer.umwelt_benches(args.umwelt, bench, 1):
        size = re.search(r'(\d+) x (\d+) x (\d+)', one['settings'])
        if size and (bf16 or 'packed' in one['name'] + one['settings']):  # gemm-bf16 packs every row
            rows[one['name']] = [*size.groups(), str(int('GELU' in one['name'] or 'GELU' in one['settings']))]
    try:
        peers = {name: peer.Peer(__file__, ['--precision', args.precision, '--serve', *size], 1, 'passive')
                 for name, size in rows.items()}
    except RuntimeError as error:
        print(f'skip: {error} (see README.md)')
        return 0
    ours, theirs = {name: [] for name in rows}, {name: [] for name in rows}
    for _ in range(args.pairs):
        values = {one['name']: one['value'] for one in peer.umwelt_benches(args.umwelt, bench, 1)}
        for name in rows:
            ours[name].append(values[name])
            theirs[name].append(peers[name].measure())
    for name, size in rows.items():
        peers[name].close()
        peer.report(name + (' bf16' if bf16 else ''), ours[name], theirs[name], [a / b for a, b in zip(ours[name], theirs[name])],
                    {'bench': bench, 'precision': args.precision, 'threads': 1, 'peer': "PyTorch's linear (MKL or oneDNN)"},
                    args.record)
    return 0


if __name__ == '__main__':
    sys.exit(main())
