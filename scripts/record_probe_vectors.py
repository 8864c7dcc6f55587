"""Record what scikit-learn and SciPy say about small regressions, for tests/unit/test_fit.c.

    python scripts/record_probe_vectors.py tests/vectors/probe

Needs numpy, scipy and scikit-learn; nothing here is needed to build or to run.  The files are plain text:
a line of sizes, then numbers, each block announced by a word.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, root_mean_squared_error

GRID = np.array([1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def block(out, word, array):
    out.write(f"{word}\n")
    for row in np.atleast_2d(array):
        out.write(" ".join(f"{v:.17g}" for v in row) + "\n")


def ridge_case(path, rng, n, m, d, k, noise):
    """Latents with very unequal directions, targets linear in them plus noise."""
    mixing = rng.normal(size=(d, d)) * np.logspace(0, -3, d)
    x = (rng.normal(size=(n + m, d)) @ mixing.T + 0.5).astype(np.float32)
    weight = rng.normal(size=(d, k))
    y = x.astype(np.float64) @ weight + noise * rng.normal(size=(n + m, k)) + 3.0
    x_fit = x[:n].astype(np.float64)
    centred = x_fit - x_fit.mean(axis=0)
    alphas = GRID * np.sum(centred**2) / d
    model = RidgeCV(alphas=alphas, alpha_per_target=True, fit_intercept=True)
    model.fit(x_fit, y[:n])
    predicted = model.predict(x[n:].astype(np.float64))
    truth = y[n:]
    scores = [
        [r2_score(truth[:, j], predicted[:, j]), pearsonr(truth[:, j], predicted[:, j])[0],
         root_mean_squared_error(truth[:, j], predicted[:, j])]
        for j in range(k)
    ]
    with open(path, "w") as out:
        out.write(f"{n} {m} {d} {k}\n")
        block(out, "x", x.astype(np.float64))
        block(out, "y", y)
        block(out, "penalty", model.alpha_)
        block(out, "weight", model.coef_)
        block(out, "predicted", predicted)
        block(out, "scores", np.array(scores))


def rank_case(path, rng):
    n = 40
    x = rng.integers(0, 12, size=n).astype(np.float64)  # many ties
    y = x + rng.integers(0, 9, size=n)
    with open(path, "w") as out:
        out.write(f"{n}\n")
        block(out, "x", x)
        block(out, "y", y)
        block(out, "rho", np.array([spearmanr(x, y).statistic]))


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    ridge_case(folder / "ridge_tall.txt", rng, n=60, m=20, d=6, k=3, noise=0.3)
    ridge_case(folder / "ridge_wide.txt", rng, n=24, m=12, d=33, k=2, noise=0.05)
    rank_case(folder / "spearman_ties.txt", rng)


if __name__ == "__main__":
    main()
