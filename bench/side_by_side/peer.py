"""What both comparisons share: running umwelt's bench, a peer process that answers on request, and the ratios."""
import glob
import json
import os
import statistics
import subprocess
import sys


def umwelt_benches(binary, bench, threads, more=()):
    """One run of `umwelt bench`; returns its figures."""
    out = subprocess.run([binary, 'bench', bench, '--quick', '--json', '--threads', str(threads), *more], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)['benches']


def umwelt_bench(binary, bench, name, threads, more=()):
    """The value of the figure called `name`."""
    for one in umwelt_benches(binary, bench, threads, more):
        if one['name'] == name:
            return one['value']
    raise SystemExit(f'umwelt bench {bench} has no figure called {name}')


class Peer:
    """A process that prints READY, then one JSON line {"value": x} for every line it reads."""

    def __init__(self, script, args, threads, waiting, tcmalloc=True):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), SDL_VIDEODRIVER='dummy')
        if waiting == 'passive':
            env['OMP_WAIT_POLICY'] = 'PASSIVE'
        found = glob.glob('/usr/lib/*/libtcmalloc_minimal.so.4')
        if found and tcmalloc:
            env['LD_PRELOAD'] = found[0]
        self.malloc = 'tcmalloc' if found and tcmalloc else 'libc'
        self.process = subprocess.Popen([sys.executable, script, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)
        line = ''
        while line.strip() != 'READY':
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f'{script} {args} did not start')

    def ask(self):
        self.process.stdin.write('go\n')
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())['value']

    def measure(self):
        self.ask()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(measure):
    """The peer's side of the conversation."""
    print('READY', flush=True)
    for _ in sys.stdin:
        print(json.dumps({'value': measure()}), flush=True)


def report(what, ours, theirs, ratios, settings, record=None):
    """Print one comparison; keep it in the file `record` (nullable), where `umwelt bench --peers` finds it by its name."""
    line = {'what': what, 'umwelt_median': statistics.median(ours), 'peer_median': statistics.median(theirs),
            'ratio_median': statistics.median(ratios), 'ratio_min': min(ratios), 'ratio_max': max(ratios), 'pairs': len(ratios),
            **settings}
    print(json.dumps(line), flush=True)
    if record:
        kept = {}
        if os.path.exists(record):
            with open(record) as file:
                kept = json.load(file)
        kept[what] = line
        with open(record + '.new', 'w') as file:
            json.dump(kept, file, indent=1, sort_keys=True)
        os.replace(record + '.new', record)
