"""One solver of passive arrays in a process of its own, for solve_scaling.py and many_inputs.py.

    python benchmarks/read_worker.py crossbar          # or badcrossbar, CHOLMOD, ...: the keys of SOLVERS

Standard output begins with a line of JSON about the solver, after a warm-up on an 8 x 8 array. Then every line of standard
input names two files, `case.npz<TAB>answer.npz`; it is answered by a line with the seconds taken and the memory used.
This module imports numpy only: each solver imports what it needs, in whatever interpreter has it.

The array: N x N ohmic cells, wire segments of 2 ohm, leads included; left ends of the word lines at given voltages, bottom
ends of the bit lines at 0 V, the other ends open. The direct solvers get its nodal matrix, 2 N^2 unknowns, symmetric and
positive definite, made by `nodal_matrix` without a Python loop; making it is part of their time, as every user must.
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
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WIRE = 2.0      # resistance of a wire segment, leads included [ohm]
_WARM_UP = 8    # lines of the warm-up array
_BLOCK = 64     # inputs that the direct solvers take at once: more would only cost memory
_MAXRSS = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss [byte]
_PACKAGES = ("numpy", "scipy", "numba", "badcrossbar", "scikit-sparse", "pypardiso", "mkl", "PyKLU")

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

    current: Array                    # (K, N) out of the bit lines [A]
    parts: dict[str, float] = field(default_factory=dict)  # seconds of the stages, where the solver has some
    check: Callable[[], dict[str, float]] = dict           # figures of quality, made after the clock was read
    seconds: float | None = None
    peak: float | None = None         # [byte]


Solver = Callable[[Array, Array], Answer]  # cell resistances (N, N) [ohm], K inputs: word-line voltages (K, N) [V]


class Laps:
    """Seconds of the stages of a run."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """A stage has ended."""
        now = time.perf_counter()
        self.parts[stage] = now - self._last
        self._last = now


def crossbar_solver() -> Solver:
    """`PassiveArray.solve`, node voltages kept; many inputs: `transfer`, then one matrix product."""
    from crossbar.arrays.passive import PassiveArray

    def one(r: Array, volts: Array) -> Answer:
        s = PassiveArray.from_resistance(r, r_word=WIRE, r_bit=WIRE).solve(word_left=volts[0])

        def check() -> dict[str, float]:
            return {"kcl": float(s.relative_residual), "iterations": float(s.iterations)}
        return Answer(current=s.bit_current[None], check=check)

    def many(r: Array, volts: Array) -> Answer:
        lap = Laps()
        matrix = PassiveArray.from_resistance(r, r_word=WIRE, r_bit=WIRE).transfer("word_left", "bit_bottom")
        lap("transfer")
        current = volts @ matrix
        lap("solve")
        return Answer(current=current, parts=lap.parts)
    return lambda r, volts: (one if len(volts) == 1 else many)(r, volts)


def terminals_solver() -> Solver:
    """`PassiveArray.solve` of all inputs, one after the other, nothing but terminal currents kept."""
    from crossbar.arrays.passive import PassiveArray

    def solve(r: Array, volts: Array) -> Answer:
        s = PassiveArray.from_resistance(r, r_word=WIRE, r_bit=WIRE).solve(word_left=volts, keep="terminals")
        return Answer(current=s.bit_current, check=lambda: {"kcl": float(np.max(s.relative_residual))})
    return solve


def badcrossbar_solver() -> Solver:
    """`badcrossbar.compute`; node voltages kept of a single input, currents of cells and wires not asked for."""
    import badcrossbar

    def solve(r: Array, volts: Array) -> Answer:
        single = len(volts) == 1
        s = badcrossbar.compute(volts.T, r, r_i=WIRE, node_voltages=single, all_currents=False)

        def check() -> dict[str, float]:
            return {"kcl": kcl(r, volts[0], s.voltages.word_line, s.voltages.bit_line)} if single else {}
        return Answer(current=np.reshape(s.currents.output, volts.shape), check=check)
    return solve


Solve = Callable[[Array], Array]


def direct_solver(factorise: Callable[[Any], Solve], *, upper: bool) -> Solver:
    """The nodal matrix (its upper triangle by rows, or all of it) factorised once, then blocks of right-hand sides."""
    def solve(r: Array, volts: Array) -> Answer:
        n = r.shape[1]
        lap = Laps()
        matrix = nodal_matrix(1 / r, upper)
        lap("assembly")
        back = factorise(matrix)
        lap("factor")
        current = np.empty((len(volts), n))
        for k in range(0, len(volts), _BLOCK):
            some = volts[k:k + _BLOCK]
            b = np.zeros((2 * r.size, len(some)), order="F")
            b[:r.size:n] = some.T / WIRE
            x = back(b)
            current[k:k + _BLOCK] = x[-n:].T / WIRE
        lap("solve")

        def check() -> dict[str, float]:
            u, v = np.array(x[:, -1]).reshape(2, *r.shape)
            return {"kcl": kcl(r, volts[-1], u, v)}
        return Answer(current=current, parts=lap.parts, check=check)
    return solve


def splu_solver() -> Solver:
    """scipy's SuperLU, diagonal pivots and the symmetric ordering (COLAMD takes longer)."""
    from scipy.sparse.linalg import splu

    def factorise(matrix: Any) -> Solve:
        factors = splu(matrix.T, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        solve: Solve = factors.solve
        return solve
    return direct_solver(factorise, upper=False)


def cholmod_solver() -> Solver:
    """CHOLMOD by scikit-sparse 0.4: AMD, supernodal (METIS, NESDIS and simplicial take longer at 256 and 512)."""
    from sksparse.cholmod import cholesky

    def factorise(matrix: Any) -> Solve:
        factors: Solve = cholesky(matrix.T, ordering_method="amd")
        return factors
    return direct_solver(factorise, upper=True)


def pardiso_solver() -> Solver:
    """MKL Pardiso by pypardiso, for symmetric positive definite matrices."""
    from pypardiso import PyPardisoSolver
    solver = PyPardisoSolver(mtype=2)  # the one that all arrays share: it frees the factors of the one before

    def factorise(matrix: Any) -> Solve:
        solver.factorize(matrix)
        return lambda b: np.asarray(solver.solve(matrix, b))
    return direct_solver(factorise, upper=True)


def klu_solver() -> Solver:
    """SuiteSparse's KLU by PyKLU."""
    from PyKLU import Klu

    def factorise(matrix: Any) -> Solve:
        solve: Solve = Klu(matrix.T).solve
        return solve
    return direct_solver(factorise, upper=False)


def nodal_matrix(g: Array, upper: bool) -> Any:
    """Nodal matrix, scipy's csr_matrix, of cell conductances g (M, N) [S]: word nodes row by row, then bit nodes likewise.

    upper : only the diagonal and what stands right of it.
    """
    from scipy.sparse import csr_matrix
    (m, n), wire = g.shape, 1 / WIRE
    node = np.arange(2 * g.size, dtype=np.int32).reshape(2, m, n, 1)
    column, value = np.empty((2, m, n, 4), np.int32), np.full((2, m, n, 4), -wire)
    keep = np.ones((2, m, n, 4), bool)
    column[0] = node[0] + np.array([-1, 0, 1, g.size], np.int32)   # left, itself, right, through the cell
    column[1] = node[1] + np.array([-g.size, -n, 0, n], np.int32)  # through the cell, above, itself, below
    value[0, ..., 3] = value[1, ..., 0] = -g
    value[0, ..., 1] = value[1, ..., 2] = g + 2 * wire
    value[0, :, -1, 1] -= wire  # the right end of a word line is open,
    value[1, 0, :, 2] -= wire   # and the upper end of a bit line
    keep[0, :, 0, 0] = keep[0, :, -1, 2] = keep[1, 0, :, 1] = keep[1, -1, :, 3] = False
    if upper:
        keep[0, ..., 0] = keep[1, ..., :2] = False
    start = np.zeros(2 * g.size + 1, np.int32)
    np.cumsum(keep.sum(axis=-1).ravel(), out=start[1:])
    return csr_matrix((value[keep], column[keep], start), shape=(2 * g.size, 2 * g.size))


def kcl(r: Array, volts: Array, u: Array, v: Array) -> float:
    """sum |KCL misfit| / sum |cell current| of word and bit node voltages u, v (M, N) [V]."""
    cell = (u - v) / r
    along = np.diff(u, axis=1, prepend=volts[:, None]) / WIRE  # against the direction of the word lines' currents
    down = np.diff(v, axis=0, append=0.0) / WIRE
    word = -along - cell
    word[:, :-1] += along[:, 1:]
    bit = down + cell
    bit[1:] -= down[:-1]
    return float((np.abs(word).sum() + np.abs(bit).sum()) / np.abs(cell).sum())


def difference(current: Array, reference: Array) -> float:
    """The largest relative difference of a bit line's current from the reference's, line by line."""
    return float(np.max(np.abs(current - reference) / np.abs(reference)))


def ngspice_solver() -> Solver:
    """`ngspice -b` on a deck that is written before the clock starts."""
    program = shutil.which("ngspice")
    if program is None:
        raise FileNotFoundError("ngspice is not on the path")
    launch = (sys.executable, "-S", "-c", _LAUNCHER, program, "-b", "-r")

    def solve(r: Array, volts: Array) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            deck, raw = Path(folder, "read.cir"), Path(folder, "read.raw")
            deck.write_text("\n".join(deck_lines(r, volts[0])) + "\n")
            out = subprocess.check_output((*launch, str(raw), str(deck)), text=True)
            seconds, peak, status = map(float, out.split())
            if status:
                raise RuntimeError(f"ngspice ended with status {status:.0f}")
            current = np.frombuffer(raw.read_bytes().partition(b"Binary:\n")[2])
        return Answer(current=current[None], seconds=seconds, peak=peak * _MAXRSS)
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
    "crossbar, input by input": terminals_solver,
    "badcrossbar": badcrossbar_solver,
    "CHOLMOD": cholmod_solver,
    "Pardiso": pardiso_solver,
    "splu": splu_solver,
    "KLU": klu_solver,
    "ngspice": ngspice_solver,
}


def random_case(n: int, inputs: int, seed: list[int]) -> tuple[Array, Array]:
    """Cells (n, n) of 10-20 kohm, log-uniform, and inputs (inputs, n) of 0-1 V, uniform."""
    rng = np.random.default_rng(seed)
    return 10e3 * 2 ** rng.random((n, n)), rng.random((inputs, n))


def current_memory() -> float:
    """Resident set of this process [byte]; from now on `peak_memory` counts anew, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak_memory()
    return _status("VmRSS")


def peak_memory() -> float:
    """Largest resident set of this process [byte] since `current_memory`, or since its start."""
    try:
        return _status("VmHWM")
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS)


def _status(name: str) -> float:
    text = Path("/proc/self/status").read_text()
    return 1024.0 * float(text.partition(name + ":")[2].split()[0])


def versions(name: str = "crossbar") -> dict[str, str]:
    """Versions of this interpreter and of the packages that a solver may use; of ngspice, of the program."""
    if name == "ngspice":
        banner = subprocess.run(["ngspice", "-v"], capture_output=True, text=True, check=False).stdout
        return {"ngspice": banner.partition("ngspice-")[2].split()[0]}
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _system_blas() -> str:
    """The BLAS of the distribution, if this process has loaded it: CHOLMOD does, and its speed depends on which."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return next((str(Path(line.split()[-1]).resolve()) for line in lines if "/libblas.so" in line), "")


def serve(name: str) -> None:
    """The protocol of the module's docstring."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # badcrossbar logs to standard output

    def say(**values: Any) -> None:
        print(json.dumps(values), file=out, flush=True)

    start = time.perf_counter()
    try:
        solve = SOLVERS[name]()
    except (ImportError, FileNotFoundError) as error:
        return say(missing=str(error))
    imported = time.perf_counter()
    first = solve(*random_case(_WARM_UP, 1, [_WARM_UP]))
    say(imports=imported - start, first=time.perf_counter() - imported, versions=versions(name), blas=_system_blas())
    spawned, baseline = first.peak, current_memory()
    del first
    for line in sys.stdin:
        source, target = line.rstrip("\n").split("\t")
        with np.load(source) as case:
            r, volts = case["r"], case["volts"]
        start = time.perf_counter()
        answer = solve(r, volts)
        seconds = answer.seconds or time.perf_counter() - start
        memory = answer.peak - spawned if answer.peak and spawned else peak_memory() - baseline
        np.savez(target, current=answer.current)
        say(seconds=seconds, memory=memory, parts=answer.parts, **answer.check())
        del answer


if __name__ == "__main__":
    serve(sys.argv[1])
