"""How close does an iteration of the line solver come to the machine's memory bandwidth?

    python benchmarks/roofline.py                  # 1024, 2048 and 4096 lines
    python benchmarks/roofline.py --quick

Compulsory bytes: every kernel must read each array it needs once and write each it changes once, whatever the cache does;
the passes are listed in PASSES and counted from there (float32). Time: conjugate gradients on one linear N x N array of
10-20 kohm and 2 ohm wires, everything in it: kernels, coarse grid, Python. Bandwidth: the same bytes through a copy kernel on
as many threads, read plus written, in arrays as large as the solver's together; the better of numba's and numpy's copy. Medians
of repeats in turn.
"""

import argparse
import time

import numba
import numpy as np
from harness import Target, add_options, machine, number, table, targets

from crossbar.solvers import kernels, lines, room, schur

#: Arrays of one iteration, kernel by kernel; "rw" counts twice.
PASSES = {
    "restrict": ("residual rw", "t r", "a r", "h r", "g r"),
    "prolong": ("residual r", "g r", "s rw", "y rw", "a r", "h r", "p rw"),
    "eliminate": ("g r", "p r", "a r", "h r", "s r", "t w"),
}
FIRST = 3 * 4  # bytes a cell that the first iteration does not read: s, y and p begin there


def bytes_a_cell() -> int:
    """Compulsory bytes of one iteration for each cell."""
    return sum(len(access.split()[1]) for kernel in PASSES.values() for access in kernel) * 4


@numba.njit(parallel=True)
def _copy(source, target):  # type: ignore[no-untyped-def]
    for k in numba.prange(source.shape[0]):
        for j in range(source.shape[1]):
            target[k, j] = source[k, j]


def bandwidth(size: int) -> float:
    """Bytes read and written per second by a copy within `size` bytes altogether."""
    source = np.ones((256, max(size // 2 // 8 // 256, 1)))
    target = np.zeros_like(source)
    times = []
    for copy in (lambda: _copy(source, target), lambda: np.copyto(target, source)):
        copy()
        start = time.perf_counter()
        copy()
        times.append(time.perf_counter() - start)
    return 2 * source.nbytes / min(times)


class Iterations:
    """Conjugate gradients on one array, again and again."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        g = 1 / (10e3 * 2 ** rng.random((1, n, n)))
        first, second = np.full((n + 1, 1), 2.0), np.full((n + 1, 1), 2.0)
        first[-1], second[0] = np.inf, np.inf
        self.n, self.solver = n, schur.Schur(first, second, g, g)
        self.load = room.zeros(self.solver.g_first.shape, np.float32)
        kernels.in_panels(rng.random((1, n, n)), self.load)
        self.residual = room.empty(self.load.shape, np.float32)
        self.goal = 1e-6 * np.abs(self.load).sum(axis=(1, 2, 3))

    def __call__(self) -> tuple[float, int]:
        """Seconds and iterations of one solve."""
        np.copyto(self.residual, self.load)
        with lines.threads(self.n * self.n):
            start = time.perf_counter()
            count, _ = self.solver.gradients(self.residual, self.goal)
            return time.perf_counter() - start, count


def measure(n: int, repeats: int, rng: np.random.Generator) -> tuple[float, float, int]:
    """Bytes per second of an iteration, of a copy, and the iterations of a solve; medians."""
    solve, rates, copies, count = Iterations(n, rng), [], [], 0
    solve()
    for _ in range(repeats):
        seconds, count = solve()
        rates.append((bytes_a_cell() * count - FIRST) * n * n / seconds)
        copies.append(bandwidth(12 * 4 * n * n))
    return float(np.median(rates)), float(np.median(copies)), count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=9, peers=False)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096])
    args = parser.parse_args()
    sizes, repeats = ([128, 256], 3) if args.quick else (args.sizes, args.repeats)
    rng = np.random.default_rng(args.seed)
    rows, wanted = [], []
    for n in sizes:
        rate, copy, count = measure(n, repeats, rng)
        took = bytes_a_cell() * n * n / rate
        rows.append((f"{n} x {n}", f"{count}", number(1e3 * took), number(rate / 1e9), number(copy / 1e9),
                     f"{100 * rate / copy:.0f} %"))
        wanted.append(Target(f"{n} x {n}: share of the copy bandwidth", rate / copy, 0.5))
    print(f"{bytes_a_cell()} compulsory bytes a cell and iteration.\n")
    print(*table(":array | iterations | one iteration [ms] | iteration [GB/s] | copy [GB/s] | share", rows), sep="\n")
    print(*targets(() if args.quick else wanted), sep="\n")
    print(*machine(args), sep="\n")


if __name__ == "__main__":
    main()
