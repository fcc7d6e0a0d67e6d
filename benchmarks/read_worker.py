"""One solver of passive arrays in a process of its own, for solve_scaling.py.

    python benchmarks/read_worker.py crossbar          # or badcrossbar, ngspice, ...: the keys of SOLVERS

Standard output begins with a line of JSON about the solver, after a warm-up on an 8 x 8 array. Then every
line of standard input names two files, `case.npz<TAB>answer.npz`; it is answered by a line with the seconds
taken and the memory used. This module imports numpy only: each solver imports what it needs, in whatever
interpreter has it.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]

WIRE = 2.0      # resistance of a wire segment, leads included [ohm]
_WARM_UP = 8    # lines of the warm-up array
_MAXRSS = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss [byte]

# Runs a program, reports seconds, peak memory, exit status. A process starts with its parent's peak; this
# one, without site-packages, is smaller than ngspice, while a worker with numpy is not.
_LAUNCHER = """
import os, resource, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, status)
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a solver returns; seconds and peak only where the worker cannot measure them."""

    current: Array                 # (N,) out of the bit lines [A]
    kcl: float = 0.0               # relative KCL residual, where the solver states one
    seconds: float | None = None
    peak: float | None = None      # [byte]


Solver = Callable[[Array, Array], Answer]  # cell resistances (M, N) [ohm], word-line voltages (M,) [V]


def crossbar_solver() -> Solver:
    """`PassiveArray.solve`, node voltages kept."""
    from crossbar.arrays.passive import PassiveArray

    def solve(r: Array, volts: Array) -> Answer:
        s = PassiveArray.from_resistance(r, r_word=WIRE, r_bit=WIRE).solve(word_left=volts)
        return Answer(current=s.bit_current, kcl=float(s.relative_residual))
    return solve


def badcrossbar_solver() -> Solver:
    """`badcrossbar.compute`, node voltages kept, the currents of cells and wires not asked for."""
    import badcrossbar

    def solve(r: Array, volts: Array) -> Answer:
        s = badcrossbar.compute(volts[:, None], r, r_i=WIRE, all_currents=False)
        return Answer(current=np.ravel(s.currents.output))
    return solve


def splu_solver(ordering: str) -> Solver:
    """Sparse LU of the nodal matrix, which is positive definite: diagonal pivots for MMD_AT_PLUS_A."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu
    options: dict[str, Any] = {}
    if ordering == "MMD_AT_PLUS_A":
        options = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}

    def solve(r: Array, volts: Array) -> Answer:
        columns = r.shape[1]
        b = np.zeros(2 * r.size)
        b[:r.size:columns] = volts / WIRE
        matrix = csc_array(nodal_triplets(1 / r), shape=(b.size, b.size))
        x = splu(matrix, permc_spec=ordering, **options).solve(b)
        return Answer(current=x[-columns:] / WIRE)
    return solve


def nodal_triplets(g: Array) -> tuple[Array, tuple[Indices, Indices]]:
    """Nodal matrix for conductances g (M, N) [S]: word nodes row by row, then bit nodes row by row."""
    word = np.arange(g.size, dtype=np.int32).reshape(g.shape)
    bit = word + np.int32(g.size)
    branches = (word[:, :-1], word[:, 1:]), (bit[:-1], bit[1:]), (word, bit)
    a, b = (np.concatenate([pair[k].ravel() for pair in branches]) for k in (0, 1))
    y = np.concatenate((np.full(a.size - g.size, 1 / WIRE), g.ravel()))
    leads = np.concatenate((word[:, 0], bit[-1]))
    values = np.concatenate((y, y, -y, -y, np.full(leads.size, 1 / WIRE)))
    return values, (np.concatenate((a, b, a, b, leads)), np.concatenate((a, b, b, a, leads)))


def ngspice_solver() -> Solver:
    """`ngspice -b` on a deck that is written before the clock starts."""
    program = shutil.which("ngspice")
    if program is None:
        raise FileNotFoundError("ngspice is not on the path")
    launch = (sys.executable, "-S", "-c", _LAUNCHER, program, "-b", "-r")

    def solve(r: Array, volts: Array) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            deck, raw = Path(folder, "read.cir"), Path(folder, "read.raw")
            deck.write_text("\n".join(deck_lines(r, volts)) + "\n")
            out = subprocess.check_output((*launch, str(raw), str(deck)), text=True)
            seconds, peak, status = map(float, out.split())
            if status:
                raise RuntimeError(f"ngspice ended with status {status:.0f}")
            current = np.frombuffer(raw.read_bytes().partition(b"Binary:\n")[2])
        return Answer(current=current, seconds=seconds, peak=peak * _MAXRSS)
    return solve


def deck_lines(r: Array, volts: Array) -> Iterator[str]:
    """Word line i: nodes w<i>_0 (driven) to w<i>_N; bit line j: b0_<j> to b<M>_<j> (held at 0 V)."""
    rows, columns = r.shape
    yield f"* {rows} x {columns} passive array"
    yield from (f"vw{i} w{i}_0 0 {v!r}" for i, v in enumerate(volts.tolist()))
    yield from (f"vb{j} b{rows}_{j} 0 0" for j in range(columns))
    for i, row in enumerate(r.tolist()):
        for j, value in enumerate(row):
            yield f"rw{i}_{j} w{i}_{j} w{i}_{j + 1} {WIRE}"
            yield f"rb{i}_{j} b{i}_{j} b{i + 1}_{j} {WIRE}"
            yield f"rc{i}_{j} w{i}_{j + 1} b{i}_{j} {value!r}"
    yield from (".save " + " ".join(f"i(vb{j})" for j in range(columns)), ".op", ".end")


SOLVERS: dict[str, Callable[[], Solver]] = {
    "crossbar": crossbar_solver,
    "badcrossbar": badcrossbar_solver,
    "splu MMD_AT_PLUS_A": lambda: splu_solver("MMD_AT_PLUS_A"),
    "splu COLAMD": lambda: splu_solver("COLAMD"),
    "ngspice": ngspice_solver,
}


def random_case(n: int, seed: list[int]) -> tuple[Array, Array]:
    """Cells (n, n) of 10-20 kohm, log-uniform, and inputs (n,) of 0-1 V, uniform."""
    rng = np.random.default_rng(seed)
    return 10e3 * 2 ** rng.random((n, n)), rng.random(n)


def _peak_memory() -> float:
    """Largest resident set of this process so far [byte]."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "numba", "badcrossbar"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def serve(name: str) -> None:
    """The protocol of the module's docstring."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # badcrossbar logs to standard output

    def say(**values: Any) -> None:
        print(json.dumps(values), file=out, flush=True)

    try:
        solve = SOLVERS[name]()
    except (ImportError, FileNotFoundError) as error:
        return say(missing=str(error))
    start = time.perf_counter()
    first = solve(*random_case(_WARM_UP, [_WARM_UP]))
    say(first=time.perf_counter() - start, versions=_versions())
    baseline = first.peak or _peak_memory()
    for line in sys.stdin:
        source, target = line.rstrip("\n").split("\t")
        with np.load(source) as case:
            r, volts = case["r"], case["volts"]
        start = time.perf_counter()
        answer = solve(r, volts)
        seconds = answer.seconds or time.perf_counter() - start
        memory = (answer.peak or _peak_memory()) - baseline
        np.savez(target, current=answer.current)
        say(seconds=seconds, memory=memory, kcl=answer.kcl)


if __name__ == "__main__":
    serve(sys.argv[1])
