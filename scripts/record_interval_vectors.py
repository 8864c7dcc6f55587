"""Record what SciPy says about exact binomial intervals and the incomplete beta function, for
tests/unit/test_stats.c.

    python scripts/record_interval_vectors.py tests/vectors/stats

Needs scipy; nothing here is needed to build or to run.  Plain text: a word, then numbers, per line.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.special import betainc
from scipy.stats import binomtest


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    cases = [(k, n) for n in (1, 2, 3, 5, 10, 17, 50) for k in range(n + 1)]
    cases += [(int(rng.integers(0, n + 1)), n) for n in rng.integers(51, 3000, 60)]
    cases += [(k, n) for n in (100, 200, 300, 600, 1800) for k in (0, 1, n // 2, n - 1, n)]
    cases += [(1788, 1800), (788, 800), (21, 200), (116, 200), (166, 200)]
    cases += [(k, 1_000_000) for k in (0, 1, 10, 499_999, 900_000, 999_999, 1_000_000)]
    with open(folder / "intervals.txt", "w") as out:
        for k, n in cases:
            ci = binomtest(k, n).proportion_ci(confidence_level=0.95, method="exact")
            out.write(f"interval {k} {n} {ci.low:.17g} {ci.high:.17g}\n")
        for _ in range(300):
            a, b = np.exp(rng.uniform(-1, 9, 2))
            mean, std = a / (a + b), np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
            x = float(np.clip(mean + rng.normal() * 2 * std, 1e-12, 1 - 1e-12))
            out.write(f"beta {a:.17g} {b:.17g} {x:.17g} {betainc(a, b, x):.17g}\n")


if __name__ == "__main__":
    main(sys.argv[1])
