"""How many iterations does the line solver take, whatever the array?

    python benchmarks/iterations.py            # a minute, 2 GB
    python benchmarks/iterations.py --quick    # the same arrays with a sixteenth of the lines

Conjugate-gradient iterations, all steps together, of one input: word lines driven at the left by 0-1 V (uniform), bit lines at
0 V at the bottom, tolerance 1e-10. The arrays stress the preconditioner in different ways: soft and stiff wires, unequal
wires, tall arrays, open cells, cells over six decades, and cells no larger than a wire segment.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from harness import Target, add_options, machine, number, table, targets
from read_worker import Array

_AT_MOST = 20

Draw = Callable[[np.random.Generator, tuple[int, int]], Array]  # conductances [S]


def _spread(low: float, high: float) -> Draw:
    """Log-uniform resistances [ohm]."""
    return lambda rng, shape: 1 / (low * (high / low) ** rng.random(shape))


def _binary(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return 1 / np.where(rng.random(shape) < 0.5, 5e3, 12.5e3)


def _holes(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.where(rng.random(shape) < 0.1, 0.0, _spread(1e3, 2e3)(rng, shape))


#: (rows, columns), wire segments of word and bit lines [ohm], name of the cells, their conductances
CASES: tuple[tuple[tuple[int, int], tuple[float, float], str, Draw], ...] = (
    ((1024, 1024), (2, 2), "10-20 kohm", _spread(10e3, 20e3)),
    ((1024, 1024), (2, 2), "5 or 12.5 kohm", _binary),
    ((1024, 1024), (2, 2), "1-2 kohm, 10 % open", _holes),
    ((1024, 1024), (0.1, 10), "1-2 kohm", _spread(1e3, 2e3)),
    ((2048, 256), (2, 2), "1-2 kohm", _spread(1e3, 2e3)),
    ((2048, 2048), (10, 10), "1-2 kohm", _spread(1e3, 2e3)),
    ((512, 512), (1, 1), "1 kohm - 1 Gohm", _spread(1e3, 1e9)),
    ((512, 512), (100, 100), "100-200 ohm", _spread(100, 200)),
)


def report(seed: int, divisor: int = 1) -> Iterator[str]:
    """Tables of iterations and of the target, for arrays with 1 / `divisor` of the lines."""
    import crossbar as xb
    from tqdm import tqdm
    rows, worst = [], 0
    xb.PassiveArray(np.full((8, 8), 1e-4)).solve(word_left=1.0)  # loads the compiled kernels
    for (m, n), (word, bit), cells, draw in tqdm(CASES, disable=None):
        shape = m // divisor, n // divisor
        rng = np.random.default_rng([seed, m, n])
        array, volts = xb.PassiveArray(draw(rng, shape), r_word=word, r_bit=bit), rng.random(shape[0])
        start = time.perf_counter()
        s = array.solve(word_left=volts)
        taken = time.perf_counter() - start
        worst = max(worst, s.iterations)
        wires = f"{word:g}" if word == bit else f"{word:g}, {bit:g}"
        rows.append((f"{shape[0]} x {shape[1]}", wires, cells, str(s.iterations), f"{float(s.relative_residual):.0e}",
                     number(1e3 * taken)))
    yield from table(":array | :wire segments [ohm] | :cells | iterations | KCL | time [ms]", rows)
    yield from targets([Target("most iterations", worst, _AT_MOST, True)] if divisor == 1 else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=1, peers=False)
    args = parser.parse_args()
    print(*report(args.seed, 16 if args.quick else 1), *machine(args), sep="\n")


if __name__ == "__main__":
    main()
