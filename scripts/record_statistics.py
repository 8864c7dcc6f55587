"""Record what SciPy, statsmodels and NumPy say about small samples, for tests/unit/test_statistics.c and test_special.c.

    python scripts/record_statistics.py tests/vectors/statistics

Needs numpy, scipy and statsmodels; nothing here is needed to build or to run.  Statistics that these libraries do not
have (Mardia, Henze-Zirkler, Hosking over pieces, the corrected distance correlation) are computed from their
definitions, written out once more.  Plain text: a word, the number of numbers, the numbers.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import linalg, special, stats
from scipy.spatial.distance import cdist
from statsmodels.stats.diagnostic import acorr_ljungbox, het_white
from statsmodels.stats.dist_dependence_measures import distance_correlation
from statsmodels.tsa.api import VAR
from statsmodels.tsa.stattools import kpss
import warnings

warnings.filterwarnings("ignore")


class Book:
    def __init__(self, path):
        self.out = open(path, "w")

    def put(self, word, *values, digits=17):
        flat = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in values])
        self.out.write(f"{word} {len(flat)}\n" + " ".join(f"{v:.{digits}g}" for v in flat) + "\n")


def rounded(x):
    """Inputs of few digits: exact in the file, small on disk."""
    return np.round(np.asarray(x, dtype=np.float64), 4)


def special_functions(book):
    for p in (1e-300, 1e-12, 0.025, 0.3, 0.5, 0.975, 0.999999):
        book.put("normal_quantile", p, stats.norm.ppf(p))
    for a, x in ((0.5, 0.3), (1, 1e-9), (3, 2), (10, 20), (100, 90), (96, 120), (1e5, 1.001e5), (1e5, 9.9e4), (2, 700)):
        book.put("gamma", a, x, special.gammainc(a, x), special.gammaincc(a, x))
    for k, p in ((1, 0.95), (2, 0.99), (9, 0.95), (192, 0.99), (18528, 0.5), (3, 1e-6)):
        book.put("chi2_quantile", k, p, stats.chi2.ppf(p, k))


def mardia(x):
    n, d = x.shape
    e = x - x.mean(0)
    g = e @ np.linalg.inv(e.T @ e / n) @ e.T
    b1, b2 = np.mean(g**3), np.mean(np.diag(g) ** 2)
    z = (b2 - d * (d + 2)) / np.sqrt(8 * d * (d + 2) / n)
    return b1, b2, stats.chi2.sf(n * b1 / 6, d * (d + 1) * (d + 2) / 6), 2 * stats.norm.sf(abs(z))


def henze_zirkler(x):
    n, p = x.shape
    e = x - x.mean(0)
    si = np.linalg.inv(e.T @ e / n)
    g = e @ si @ e.T
    d1 = np.diag(g)
    d2 = d1[:, None] + d1[None, :] - 2 * g
    b = ((2 * p + 1) * n / 4) ** (1 / (p + 4)) / np.sqrt(2)
    hz = n * (np.mean(np.exp(-b**2 / 2 * d2)) - 2 * (1 + b**2) ** (-p / 2) * np.mean(np.exp(-b**2 / (2 * (1 + b**2)) * d1))
              + (1 + 2 * b**2) ** (-p / 2))
    w, a = (1 + b**2) * (1 + 3 * b**2), 1 + 2 * b**2
    mu = 1 - a ** (-p / 2) * (1 + p * b**2 / a + p * (p + 2) * b**4 / (2 * a**2))
    var = (2 * (1 + 4 * b**2) ** (-p / 2) + 2 * a**-p * (1 + 2 * p * b**4 / a**2 + 3 * p * (p + 2) * b**8 / (4 * a**4))
           - 4 * w ** (-p / 2) * (1 + 3 * p * b**4 / (2 * w) + p * (p + 2) * b**8 / (2 * w**2)))
    pmu, psi = np.log(np.sqrt(mu**4 / (var + mu**2))), np.sqrt(np.log((var + mu**2) / mu**2))
    return hz, stats.lognorm.sf(hz, psi, scale=np.exp(pmu))


def epps_pulley(x):
    n = len(x)
    t = np.linspace(0, 3, 17)
    w = np.full(17, 2 * 3 / 16)
    w[[0, -1]] = 3 / 16
    ecf = np.mean(np.exp(1j * np.outer(x, t)), 0)
    grid = n * np.sum(w * np.exp(-(t**2) / 2) * np.abs(ecf - np.exp(-(t**2) / 2)) ** 2)
    from scipy.integrate import quad
    f = lambda s: abs(np.mean(np.exp(1j * s * x)) - np.exp(-(s**2) / 2)) ** 2 * np.exp(-(s**2) / 2)
    return grid, n * 2 * quad(f, 0, 12, epsabs=1e-13, epsrel=1e-13, limit=400)[0]


def samples(book, rng):
    for name, x in (("normal", rng.normal(size=60)), ("laplace", rng.laplace(size=50) + 0.3), ("far", np.r_[rng.normal(size=20), -41.0])):
        x = rounded(x)
        s = np.sort(x)
        n = len(x)
        ad = -n - np.sum((2 * np.arange(1, n + 1) - 1) * (stats.norm.logcdf(s) + stats.norm.logcdf(-s[::-1]))) / n
        book.put("x", x)
        book.put("normality", x.mean(), x.std(), stats.skew(x), stats.kurtosis(x), *epps_pulley(x), ad, stats.jarque_bera(x).statistic)
    for n, d in ((60, 1), (50, 3)):
        x = rounded(rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=(n, 1)) ** 2)
        book.put("rows", n, d, x)
        book.put("multivariate", *mardia(x), *henze_zirkler(x))


def hosking(r, starts, lags):
    n, d = r.shape
    e = r - r.mean(0)
    acov = lambda k: sum(e[a:b - k].T @ e[a + k:b] for a, b in zip(starts, starts[1:]) if b - k > a) / n
    ci = np.linalg.inv(acov(0))
    return n**2 * sum(np.trace(acov(k).T @ ci @ acov(k) @ ci) / (n - k) for k in range(1, lags + 1))


def series(book, rng):
    x = rounded(np.convolve(rng.normal(size=90), [1, 0.4, 0.2], "valid"))
    lb = acorr_ljungbox(x, lags=[6])
    book.put("rows", len(x), 1, x)
    book.put("pieces", 0, len(x))
    book.put("portmanteau", 6, 0, lb.lb_stat.iloc[0], lb.lb_pvalue.iloc[0])
    y = np.zeros((100, 2))
    for t in range(1, 100):
        y[t] = np.array([[0.6, 0.2], [-0.1, 0.5]]) @ y[t - 1] + rng.normal(size=2)
    fit = VAR(rounded(y)).fit(1)
    test = fit.test_whiteness(nlags=5, adjusted=True)
    r = rounded(fit.resid)
    book.put("rows", *r.shape, r)
    book.put("pieces", 0, len(r))
    # the residuals are rounded for the file: the statistic moves in its 4th digit, so it is computed from them
    q = hosking(r, [0, len(r)], 5)
    assert abs(q - test.test_statistic) < 0.02, (q, test.test_statistic)
    book.put("portmanteau", 5, 4, q, stats.chi2.sf(q, 16))
    book.put("rows", *r.shape, r)
    book.put("pieces", 0, 40, 47, len(r))
    q = hosking(r, [0, 40, 47, len(r)], 3)
    book.put("portmanteau", 3, 0, q, stats.chi2.sf(q, 12))
    x = rounded(np.cumsum(x))
    book.put("rows", len(x), 1, x)
    for lags in (0, 4, 12):
        book.put("kpss", lags, kpss(x, "c", nlags=lags)[0])


def regression(book, rng):
    x = rounded(rng.normal(size=(80, 2)))
    r = rounded(rng.normal(size=80) * (1 + 0.6 * np.abs(x[:, 0])))
    lm, p, _, _ = het_white(r, np.column_stack([np.ones(80), x]))
    book.put("rows", 80, 2, x)
    book.put("white", lm / 80, lm, p, r)


def clouds(book, rng):
    x, y = rounded(rng.normal(size=(40, 2))), None
    y = rounded(np.abs(x[:, :1]) + 0.3 * rng.normal(size=(40, 1)))
    a, b = cdist(x, x), cdist(y, y)

    def u(m):
        n = len(m)
        c = m - m.sum(0) / (n - 2) - m.sum(1)[:, None] / (n - 2) + m.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(c, 0)
        return c

    inner = lambda p, q: (p * q).sum() / (40 * 37)
    ua, ub = u(a), u(b)
    book.put("rows", 40, 2, x)
    book.put("dcor", distance_correlation(x, y[:, 0]), inner(ua, ub) / np.sqrt(inner(ua, ua) * inner(ub, ub)), y)
    u1, v1 = rounded(rng.normal(size=30)), rounded(rng.normal(size=25) * 2 + 1)
    book.put("rows", 30, 1, u1)
    book.put("energy", stats.energy_distance(u1, v1) ** 2, v1)
    x, y = rounded(rng.normal(size=(20, 3))), rounded(rng.normal(size=(15, 3)) + 0.5)
    book.put("rows", 20, 3, x)
    book.put("energy", 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean(), y)
    a, b = rounded(np.cov(rng.normal(size=(4, 9)))), rounded(np.cov(rng.normal(size=(4, 9)) * 2))
    root = linalg.sqrtm(a)
    book.put("rows", 4, 4, a)
    book.put("bures", np.sqrt(np.trace(a + b - 2 * np.real(linalg.sqrtm(root @ b @ root)))), b)


def matrices(book, rng):
    for n, m in ((5, 3), (3, 5), (4, 4)):
        a = rounded(rng.normal(size=(n, m)))
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        book.put("rows", n, m, a)
        book.put("polar", s.sum(), u @ vt)
    for a in (rng.normal(size=(7, 7)), linalg.companion([1, -6, 11, -6]), np.kron(np.eye(2), [[0.9, -0.3], [0.3, 0.9]]),
              np.roll(np.eye(5), 1, 0), np.triu(rng.normal(size=(4, 4)))):
        a = rounded(a)
        e = np.linalg.eigvals(a)
        e = e[np.lexsort((e.imag, e.real))]
        book.put("rows", len(a), len(a), a)
        book.put("eigenvalues", e.real, e.imag)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(8)
    special_functions(Book(folder / "special.txt"))
    book = Book(folder / "samples.txt")
    for part in (samples, series, regression, clouds, matrices):
        part(book, rng)


if __name__ == "__main__":
    main()
