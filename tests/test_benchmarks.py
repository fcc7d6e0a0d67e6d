"""The benchmarks run, and what they call agreement is one."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossbar as xb

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
QUICK = ("solve_scaling", "many_inputs", "array_kinds", "iterations", "flat_netlist", "roofline", "write_scaling",
         "write_physics")


def rows_of(text):
    """Rows of all tables of a report, cells stripped."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith(("|--:", "|---"))]


@pytest.fixture
def worker(monkeypatch):
    """The module of the solvers' processes."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import read_worker
    return read_worker


@pytest.mark.slow
@pytest.mark.parametrize("script", QUICK)
def test_quick_run(script):
    done = subprocess.run([sys.executable, str(BENCHMARKS / f"{script}.py"), "--quick"], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert len(rows) > 2
    assert re.search(r"^Machine: .+ cores", done.stdout, re.MULTILINE)
    if script in ("solve_scaling", "many_inputs"):  # splu comes with scipy: there is always somebody to agree with
        assert any(row[0].startswith("largest deviation") and row[-1] == "yes" for row in rows)
    assert not any(row[-1] == "NO" for row in rows)


def test_missing_peers_are_named():
    done = subprocess.run([sys.executable, str(BENCHMARKS / "solve_scaling.py"), "--quick", "--sizes", "8", "--no-iterations",
                           "--python", "/nonexistent/python", "--peers", "badcrossbar,CHOLMOD"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert all(re.search(rf"^{name}: not installed", done.stdout, re.MULTILINE) for name in ("badcrossbar", "CHOLMOD"))


def test_nodal_matrix_is_the_array_s(worker):
    """Both forms, on an array that is not square, against the general path of the product."""
    rng = np.random.default_rng(90210417)
    g, volts = 1 / rng.uniform(10e3, 20e3, (5, 7)), rng.random(5)
    full, upper = (worker.nodal_matrix(g, part).toarray() for part in (False, True))
    assert np.array_equal(upper, np.triu(full)) and np.array_equal(full, full.T)
    b = np.zeros(70)
    b[:35:7] = volts / worker.WIRE
    u, v = np.linalg.solve(full, b).reshape(2, 5, 7)
    s = xb.PassiveArray(g, r_word=worker.WIRE, r_bit=worker.WIRE).solve(word_left=volts, method="general")
    np.testing.assert_allclose(u, s.word_voltage, rtol=1e-11)
    np.testing.assert_allclose(v, s.bit_voltage, rtol=1e-11)
    assert worker.kcl(1 / g, volts, u, v) < 1e-10
    u[3, 2] += 1e-6  # a misfit at the node, its two neighbours and the cell's other end
    wrong = 1e-6 * (4 / worker.WIRE + 2 * g[3, 2])
    assert worker.kcl(1 / g, volts, u, v) == pytest.approx(wrong / np.abs(s.cell_current).sum(), rel=1e-2)


def test_difference_is_line_by_line(worker):
    """A small current counts as much as a large one."""
    current = np.array([[1.0, 1e-6], [2.0, 1.0]])
    other = current * [[1, 1 + 3e-9], [1, 1]]
    assert worker.difference(other, current) == pytest.approx(3e-9, rel=1e-6)


@pytest.mark.parametrize("inputs", [1, 70])
@pytest.mark.parametrize("name", ["crossbar", "crossbar, input by input", "splu"])
def test_solvers_give_the_currents_of_every_input(worker, name, inputs):
    """70 inputs: more than one block of right-hand sides."""
    r, volts = worker.random_case(12, inputs, [48121])
    answer = worker.SOLVERS[name]()(r, volts)
    expected = [xb.PassiveArray(1 / r, r_word=worker.WIRE, r_bit=worker.WIRE).solve(word_left=v, method="general").bit_current
                for v in volts]
    assert worker.difference(answer.current, np.array(expected)) < 1e-9
