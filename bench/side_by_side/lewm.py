"""LeWM against PyTorch at its best, alternated: encoding, planning, a training step.

    python lewm.py encode|plan|train [--pairs N] [--only NAME] [--variants LIST] [--record FILE]

The peer is stable-worldmodel's own model and its own solver on PyTorch, or the same network in OpenVINO. Every variant (fp32,
bf16 autocast, bf16 weights, each eager and compiled; OpenVINO in both precisions; OpenMP's two waiting policies) is warmed up and
timed twice, the fastest is what umwelt meets in pairs. umwelt runs in --precision; its rows are those of `umwelt bench`.
"""
import argparse
import contextlib
import sys
import time

import peer
import reference

# what -> {row of umwelt bench: the peer's job}
JOBS = {
    'encode': ('encode', {'encode LeWM 224x224 B=32, all threads': ('encode', 32),
                          'encode LeWM 224x224 B=1, all threads': ('encode', 1)}),
    'plan': ('plan-lewm', {'plan lewm cem10, all threads': ('plan', (300, 10)), 'plan lewm cem, all threads': ('plan', (300, 30)),
                           'plan lewm icem, all threads': ('icem', (128, 3))}),
    'train': ('train-lewm', {'train lewm full 16x4': ('full', 16),
                             'train lewm small64 128x4': ('small64', 128), 'train lewm small128 128x4': ('small128', 128)}),
}
INFERENCE = ['fp32', 'autocast', 'bf16', 'fp32+compile', 'bf16+compile', 'openvino', 'openvino-bf16']
TRAINING = ['fp32', 'autocast', 'fp32+compile', 'autocast+compile']


# ---- the peer's side ----------------------------------------------------------------------------------------------------

def precision(variant):
    import torch
    if variant.startswith('autocast'):
        return torch.autocast('cpu', dtype=torch.bfloat16)
    return contextlib.nullcontext()


def compiled(model, parts):
    import logging

    import torch
    import torch._inductor.config as inductor
    inductor.freezing = True
    inductor.max_autotune = True
    inductor.max_autotune_gemm_backends = 'CPP,ATEN'
    logging.getLogger('torch._inductor').setLevel(logging.ERROR)
    for part in parts:
        setattr(model, part, torch.compile(getattr(model, part), dynamic=False))


class KeepsFloat:
    """What a module in bf16 needs around it when its caller hands it fp32."""

    @staticmethod
    def around(module):
        import torch

        class Wrapped(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = module.float()

            def forward(self, x):
                return self.inner(x).to(torch.bfloat16)

        return Wrapped()


def inference_model(variant, parts):
    import torch
    model = reference.lewm(reference.FULL).eval().requires_grad_(False)
    if variant.startswith('bf16'):
        model = model.to(torch.bfloat16)
        model.action_encoder = KeepsFloat.around(model.action_encoder)
    if 'compile' in variant:
        compiled(model, parts)
    return model


def in_openvino(variant, module, *inputs):
    """The module as one OpenVINO graph, set up for latency on all threads; returns a function of arrays."""
    import openvino
    import torch
    core = openvino.Core()
    core.set_property('CPU', {'INFERENCE_NUM_THREADS': torch.get_num_threads(), 'PERFORMANCE_HINT': 'LATENCY', 'NUM_STREAMS': '1',
                              'INFERENCE_PRECISION_HINT': 'bf16' if variant.endswith('bf16') else 'f32'})
    with torch.no_grad():
        graph = openvino.convert_model(module, example_input=inputs if len(inputs) > 1 else inputs[0],
                                       input=[tuple(x.shape) for x in inputs])
    request = core.compile_model(graph, 'CPU').create_infer_request()
    return lambda *arrays: request.infer(list(arrays), share_inputs=True, share_outputs=True)[0]


def openvino_encoder(variant, model, batch):
    import torch

    class Encode(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixels):  # the position table has the picture's size: nothing to interpolate
            hidden = self.model.encoder(pixels, interpolate_pos_encoding=False).last_hidden_state
            return self.model.projector(hidden[:, 0])

    pixels = torch.randn(batch, 3, 224, 224)
    run = in_openvino(variant, Encode().eval(), pixels)
    return lambda: run(pixels.numpy())


def openvino_plan(variant, model, samples, iterations):
    """CEM in NumPy around one graph that holds the whole rollout and the cost."""
    import numpy
    import torch

    class Cost(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, start, goal, actions):
            encoded = self.model.action_encoder(actions)
            z = [start.expand(actions.shape[0], -1)]
            for t in range(5):
                first = max(0, t - 2)
                y = self.model.predictor(torch.stack(z[first:], 1), encoded[:, first:t + 1])
                z.append(self.model.pred_proj(y.flatten(0, 1)).view(y.shape)[:, -1])
            return (z[-1] - goal).pow(2).sum(-1)

    cost = in_openvino(variant, Cost().eval(), torch.randn(1, 192), torch.randn(1, 192), torch.randn(samples, 5, 10))
    encode = openvino_encoder(variant, model, 2)
    random = numpy.random.default_rng(0)

    def run():
        z = encode()
        mean, std = numpy.zeros((5, 10), numpy.float32), numpy.ones((5, 10), numpy.float32)
        for _ in range(iterations):
            actions = mean + std * random.standard_normal((samples, 5, 10), numpy.float32)
            actions[0] = mean
            elite = actions[numpy.argpartition(cost(z[:1], z[1:], actions), 30)[:30]]
            mean, std = elite.mean(0), elite.std(0)

    return run


def encode_job(variant, batch):
    import torch
    if variant.startswith('openvino'):
        return openvino_encoder(variant, reference.lewm(reference.FULL).eval(), batch), 1e3, 5 if batch > 1 else 30
    model = inference_model(variant, ['encoder', 'projector'])
    pixels = torch.randn(batch, 1, 3, 224, 224).to(torch.bfloat16 if variant.startswith('bf16') else torch.float32)

    def run():
        with torch.inference_mode(), precision(variant):
            model.encode({'pixels': pixels})

    return run, 1e3, 5 if batch > 1 else 30


def plan_job(variant, samples, iterations, icem):
    import io

    import numpy
    import torch
    from gymnasium.spaces import Box
    if variant.startswith('openvino'):
        return openvino_plan(variant, reference.lewm(reference.FULL).eval(), samples, iterations), 1, 1
    swm = reference.load()
    from stable_worldmodel.solver import CEMSolver, ICEMSolver
    model = inference_model(variant, ['encoder', 'projector', 'predictor', 'pred_proj', 'action_encoder'])
    kind = torch.bfloat16 if variant.startswith('bf16') else torch.float32
    solver = (ICEMSolver if icem else CEMSolver)(model, batch_size=1, num_samples=samples, var_scale=1.0, n_steps=iterations,
                                                 topk=30, device='cpu', seed=42)
    solver.configure(action_space=Box(-1.0, 1.0, (1, 2), numpy.float32), n_envs=1,
                     config=swm.PlanConfig(horizon=5, receding_horizon=5, action_block=5))
    pixels = torch.randn(2, 1, 1, 3, 224, 224, dtype=kind)

    def run():
        info = {'pixels': pixels[0], 'goal': pixels[1], 'action': torch.zeros(1, 1, 10, dtype=kind)}
        with contextlib.redirect_stdout(io.StringIO()), precision(variant):
            solver.solve(info)

    return run, 1, 1


def train_job(variant, size, batch):
    import torch
    model = reference.lewm(reference.SIZES[size]).train()
    from stable_worldmodel.wm.loss import SIGReg
    sigreg = SIGReg(knots=17, num_proj=1024)
    side = reference.SIZES[size]['image']
    pixels, action = torch.randn(batch, 4, 3, side, side), torch.randn(batch, 4, 10)

    def loss_of(pixels, action):
        out = model.encode({'pixels': pixels, 'action': action})
        z = out['emb']
        guess = model.predict(z[:, :3], out['act_emb'][:, :3])
        return (guess - z[:, 1:]).pow(2).mean() + 0.09 * sigreg(z.transpose(0, 1))

    forward = torch.compile(loss_of) if 'compile' in variant else loss_of
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=5e-5, weight_decay=1e-3, fused=True)

    def run():
        with precision(variant):
            loss = forward(pixels, action)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return run, 1e3, 1 if size == 'full' else 3


def job(what, variant, name):
    kind, size = JOBS[what][1][name]
    if what == 'encode':
        return encode_job(variant, size)
    if what == 'plan':
        return plan_job(variant, *size, kind == 'icem')
    return train_job(variant, kind, size)


def serve(what, variant, name, threads):
    import resource

    import torch
    torch.set_num_threads(threads)
    run, unit, repeats = job(what, variant, name)
    for _ in range(2):
        run()

    def measure():
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB', file=sys.stderr)
        return sorted(times)[len(times) // 2] * unit

    peer.serve(measure)


# ---- the comparison --------------------------------------------------------------------------------------------------------

def fastest(args, name):
    """The variant and waiting policy that do best here; each gets two measurements after its warm-up."""
    best = None
    for variant in args.variants.split(',') if args.variants else TRAINING if args.what == 'train' else INFERENCE:
        for waiting in args.waiting.split(','):
            try:
                other = peer.Peer(__file__, [args.what, '--serve', variant, '--only', name, '--threads', str(args.threads)],
                                  args.threads, waiting, 'openvino' not in variant)
                value = min(other.measure(), other.measure())
                other.close()
            except (RuntimeError, ValueError) as error:
                print(f'{variant} {waiting}: {error}', file=sys.stderr)
                continue
            print(f'{name}: {variant:16s} {waiting:8s} {value:8.3f}', file=sys.stderr)
            if best is None or value < best[0]:
                best = (value, variant, waiting)
    return best


def engine(variant):
    import importlib.metadata
    package = 'openvino' if 'openvino' in variant else 'torch'
    return f'{package} {importlib.metadata.version(package)} {variant}'


def compare(args, bench, rows):
    """Every row of one bench: a pair is one run of umwelt's bench and one answer of every row's best peer."""
    met = {}
    for name in rows:
        best = fastest(args, name)
        if best is None:
            print(f'skip: {name}: no variant of the peer ran (see README.md)')
            continue
        met[name] = best[1:], peer.Peer(__file__, [args.what, '--serve', best[1], '--only', name, '--threads', str(args.threads)],
                                        args.threads, best[2], 'openvino' not in best[1])
    ours, theirs = {name: [] for name in met}, {name: [] for name in met}
    for _ in range(args.pairs if met else 0):
        found = peer.umwelt_benches(args.umwelt, bench, args.threads, ['--precision', args.precision])
        values = {one['name']: one['value'] for one in found}
        for name, (_, other) in met.items():
            ours[name].append(values[name])
            theirs[name].append(other.measure())
    for name, ((variant, waiting), other) in met.items():
        other.close()
        peer.report(name + (' bf16' if args.precision == 'bf16' else ''), ours[name], theirs[name],
                    [b / a for a, b in zip(ours[name], theirs[name])],
                    {'bench': bench, 'precision': args.precision, 'threads': args.threads,
                     'peer': f'{engine(variant)}, {waiting} waiting, {other.malloc}'}, args.record)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=JOBS)
    parser.add_argument('--umwelt', default='../../build/release/umwelt')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--precision', choices=['f32', 'bf16'], default='f32', help="umwelt's")
    parser.add_argument('--only', help='one row of umwelt bench')
    parser.add_argument('--variants', help="the peer's, comma-separated; default all")
    parser.add_argument('--waiting', default='spin,passive')
    parser.add_argument('--record', help='a JSON file that umwelt bench --peers reads')
    parser.add_argument('--serve', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.what, args.serve, args.only, args.threads)
    bench, rows = JOBS[args.what]
    compare(args, bench, [args.only] if args.only else rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
