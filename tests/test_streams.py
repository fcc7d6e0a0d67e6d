"""Random streams: the published generators, an accurate transform, Gaussian to five sigma, independent of each other."""

import numpy as np
import numpy.typing as npt
from scipy import stats

from crossbar.mtj.streams import LANES, direction, exponential, fill_normals, make_streams, next_word

MASK = 2 ** 64 - 1


class Root:
    """Stands for a generator whose next number is known."""

    def __init__(self, root: int) -> None:
        self.root = root

    def integers(self, low: int, high: int, dtype: object) -> np.uint64:
        return np.uint64(self.root)


def rotate(x: int, k: int) -> int:
    return (x << k | x >> (64 - k)) & MASK


def xoshiro(s: list[int]) -> int:
    """xoshiro256++ as its authors wrote it."""
    result = (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
    t = s[1] << 17 & MASK
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotate(s[3], 45)
    return result


def normals(streams: int, pairs: int, seed: int) -> npt.NDArray[np.float64]:
    """(streams, 2 pairs) normals."""
    words = make_streams(streams, np.random.default_rng(seed))
    out = np.empty((words.shape[0], 2 * pairs * LANES))
    for own, row in zip(words, out, strict=True):
        fill_normals(own, row)
    return out.reshape(-1, 2 * pairs, LANES).swapaxes(1, 2).reshape(-1, 2 * pairs)[:streams]


def test_states_are_splitmix64_and_words_are_xoshiro256() -> None:
    """First outputs of splitmix64 from 1234567, as published with it (Rosetta Code)."""
    words = make_streams(3, Root(1234567))  # type: ignore[arg-type]
    assert words[0, ::LANES].tolist()[:2] == [6457827717110365317, 3203168211198807973]
    state = words[0, 2::LANES].tolist()
    assert [int(next_word(words[0], 2)) for _ in range(20)] == [xoshiro(state) for _ in range(20)]


def test_streams_do_not_depend_on_their_number() -> None:
    few, many = (make_streams(n, np.random.default_rng(931)) for n in (5, 1000))
    assert np.array_equal(few, many[:1])
    assert not np.array_equal(few, make_streams(5, np.random.default_rng(932)))


def test_logarithm_and_circle_are_accurate() -> None:
    words = np.random.default_rng(77).integers(0, 2 ** 64, 4000, dtype=np.uint64)
    words[:4] = 0, MASK, 1 << 63, (1 << 63) - 1
    words[4:1000] >>= np.arange(996, dtype=np.uint64) % 53
    u = ((words >> np.uint64(12)).astype(np.longdouble) + 0.5) / np.longdouble(2) ** 52
    e = np.array([exponential(w) for w in words])
    assert np.all(np.abs(e / -np.log(u) - 1) < 1e-15)
    x, y = np.array([direction(w) for w in words]).T
    angle = words.astype(np.int64) * np.longdouble(2) ** -65 * np.pi
    c, s = np.where(words & np.uint64(2), -1, 1) * np.cos(angle), np.sin(angle)
    swapped = (words & np.uint64(1)).astype(bool)
    assert np.all(np.abs(x - np.where(swapped, s, c)) < 4e-16)
    assert np.all(np.abs(y - np.where(swapped, c, s)) < 4e-16)


def test_moments() -> None:
    """Four sigma of the moments of 2^23 normals."""
    x = normals(2048, 2048, 1201).ravel()
    for order, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10395 - 225)):
        assert abs(np.mean(x ** order) - mean) < 4 * np.sqrt(variance / x.size)


def test_distribution_up_to_five_sigma() -> None:
    """Chi-square of 2.5e7 normals in bins that end at +-5 sigma (7 expected beyond each): p > 1e-4."""
    edges = np.r_[-np.inf, np.linspace(-5, 5, 41), np.inf]
    counts, total = np.zeros(42), 0
    for seed in (8101, 8102, 8103):
        x = normals(4096, 1024, seed).ravel()
        counts += np.histogram(x, edges)[0]
        total += x.size
    assert stats.chisquare(counts, total * np.diff(stats.norm.cdf(edges))).pvalue > 1e-4


def test_streams_are_independent() -> None:
    """Correlations of 128 streams, of their squares, and of each with itself one number later: the largest of 25 000 exceeds
    5.3 sigma with probability 3e-3."""
    x = normals(128, 16384, 4711)
    for y in (x, x ** 2 - 1):
        y = (y - y.mean(1, keepdims=True)) / y.std(1, keepdims=True)
        across = y @ y.T / y.shape[1] - np.eye(128)
        later = y[:, 1:] @ y[:, :-1].T / y.shape[1]
        assert max(np.abs(across).max(), np.abs(later).max()) < 5.3 / np.sqrt(y.shape[1])
