"""Solves in forked and spawned processes and in threads end, with the numbers of a solve alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ["omp", "workqueue"]

#: 330 x 330 cells are enough for several threads, 9 x 9 for one.
SETUP = """
import multiprocessing, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import crossbar as xb

def array(size):
    g = np.random.default_rng(size).uniform(1e-5, 1e-4, (size, size))
    return xb.PassiveArray(g, r_word=2.0, r_bit=2.0)

def total(volts, size=330):
    return float(array(size).solve(word_left=volts).bit_current.sum())

def totals(pool):
    return pool.map(total, [0.1, 0.2, 0.3])

def inner(queue):
    mine = total(0.1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        queue.put([mine, *totals(pool)])
"""


def run(script: str, *, layer: str = "default") -> str:
    """What a script prints in a process of its own, which must end and say nothing on stderr."""
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    finished = subprocess.run([sys.executable, "-c", SETUP + script], capture_output=True,
                              text=True, timeout=120, cwd=ROOT, env=environment, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("layer", LAYERS)
def test_forked_children_solve_whatever_their_parent_had_done(layer: str) -> None:
    """A pool forked before the parent's first solve, one after it, one of a forked child's own."""
    assert run("""
fork = multiprocessing.get_context("fork")
with fork.Pool(2) as pool:
    before = totals(pool)
mine = [total(volts) for volts in (0.1, 0.2, 0.3)]
with fork.Pool(2) as pool:
    after = totals(pool)
queue = fork.Queue()
child = fork.Process(target=inner, args=(queue,))
child.start()
nested = queue.get(timeout=60)
child.join(60)
print(before == mine, after == mine, nested == [mine[0], *mine], child.exitcode)
""", layer=layer) == "True True True 0"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_while_other_threads_solve_solves() -> None:
    """Their locks are held by nobody in the child."""
    assert run("""
fork = multiprocessing.get_context("fork")
mine = total(0.1)
with ThreadPoolExecutor(2) as threads:
    busy = [threads.submit(total, 0.2) for _ in range(20)]
    children = []
    for _ in range(4):
        with fork.Pool(1) as pool:
            children.append(pool.apply_async(total, [0.1]).get(60))
print(set(children) == {mine}, len({future.result() for future in busy}))
""") == "True 1"


@pytest.mark.parametrize("layer", LAYERS)
def test_threads_solve_at_once_and_get_what_one_gets(layer: str) -> None:
    """Small and large arrays, their own and one that all share, whose factors are kept."""
    assert run("""
volts = np.linspace(0.1, 0.4, 12)
shared = {size: array(size) for size in (9, 330)}
def both(v):
    own = [total(v, size) for size in shared]
    return own + [float(a.solve(word_left=v).bit_current.sum()) for a in shared.values()]
alone = [both(v) for v in volts]
with ThreadPoolExecutor(4) as threads:
    together = list(threads.map(both, volts))
print(together == alone)
""", layer=layer) == "True"


def test_blas_gets_its_threads_back_when_several_threads_solved() -> None:
    assert run("""
from threadpoolctl import threadpool_info
def blas():
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return [library["num_threads"] for library in libraries]
total(0.1, 9)
before = blas()
with ThreadPoolExecutor(4) as threads:
    list(threads.map(lambda volts: total(volts, 60), np.linspace(0.1, 0.4, 40)))
print(blas() == before)
""") == "True"


def test_workers_of_joblib_solve_in_processes_and_threads() -> None:
    pytest.importorskip("joblib")
    assert run("""
from joblib import Parallel, delayed
mine = [total(volts) for volts in (0.1, 0.2)]
for backend in ("loky", "threading"):
    workers = Parallel(n_jobs=2, backend=backend)
    print(workers(delayed(total)(volts) for volts in (0.1, 0.2)) == mine)
""") == "True\nTrue"


def test_spawned_workers_solve(tmp_path: Path) -> None:
    script = tmp_path / "spawning.py"
    script.write_text(SETUP + """
if __name__ == "__main__":
    mine = [total(volts) for volts in (0.1, 0.2, 0.3)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(totals(pool) == mine)
""", encoding="utf-8")
    finished = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120,
                              check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (finished.stdout, finished.stderr) == ("True\n", "")


def test_an_unknown_numba_is_said_and_solves_all_the_same() -> None:
    """Without the names of numba that the launcher takes, kernels are numba's own."""
    program = """
import numpy as np
from numba.np.ufunc import parallel
del parallel.threading_layer
import crossbar as xb
current = xb.PassiveArray(np.full((8, 8), 1e-4), r_word=0.0, r_bit=0.0).solve(word_left=0.1).bit_current
np.testing.assert_allclose(current, 8e-5, rtol=1e-9)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "this version of numba is not known" in done.stderr
