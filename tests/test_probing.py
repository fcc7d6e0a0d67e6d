"""GMRES and the diagonal of an inverse, against dense linear algebra."""

import numpy as np
import pytest
from building import circuit
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.sparse import csc_array

from crossbar.mna import System, Tolerances, analyse
from crossbar.solvers import probing
from crossbar.solvers.krylov import gmres
from crossbar.solvers.linear import factorise


@given(st.integers(1, 30), st.integers(0, 2 ** 32))
@settings(max_examples=60)
def test_gmres_solves_any_regular_matrix(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = np.eye(n) * 2 + rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n)
    x, left = gmres(lambda y: a @ y, b, rtol=1e-12, limit=n)
    assert left <= 1e-10
    assert_allclose(np.linalg.norm(b - a @ x) / np.linalg.norm(b), left, atol=1e-12)


@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 2 ** 32))
@settings(max_examples=40)
def test_gmres_needs_one_step_more_than_the_rank_beside_the_identity(n: int, rank: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = np.eye(n) + rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n)) / n
    calls = []
    x, left = gmres(lambda y: calls.append(1) or a @ y, b := rng.standard_normal(n), rtol=1e-9, limit=n)
    assert len(calls) <= rank + 1 and left <= 1e-9
    assert_allclose(a @ x, b, atol=1e-7 * np.linalg.norm(b))


def test_gmres_stops_at_its_limit_and_for_nothing() -> None:
    shift = np.roll(np.eye(10), 1, axis=0)  # the classical case in which nothing is gained before the last step
    x, left = gmres(lambda y: shift @ y, np.eye(10)[0], rtol=1e-12, limit=9)
    assert left == pytest.approx(1)
    assert gmres(lambda y: shift @ y, np.eye(10)[0], rtol=1e-12, limit=10)[1] <= 1e-12
    assert gmres(lambda y: shift @ y, np.zeros(10), rtol=1e-12, limit=10)[1] == 0


class Counted:
    """Factors that count how often they solve."""

    def __init__(self, matrix: csc_array) -> None:
        self.factors, self.count = factorise(matrix, slice(0, matrix.shape[0])), 0

    def solve(self, b: np.ndarray) -> np.ndarray:
        self.count += 1
        return self.factors.solve(b)


def probed(elements: list[tuple], nodes: list[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Resistances seen from nodes: by probing, by inversion; and how many solutions that took."""
    c = circuit(*elements)
    system = System(c, analyse(c), Tolerances())
    matrix = system.evaluate(np.zeros(system.size)).jacobian
    at, factors = np.array([c.node(n) - 1 for n in nodes]), Counted(matrix)
    found = probing.inverse_diagonal(matrix, factors, at)  # type: ignore[arg-type]
    return found, np.linalg.inv(matrix.toarray())[at, at], factors.count


LINES = range(7)
DRIVERS = [("v1", "s", "0", 1.0), *((f"r{k}", "s", f"n{k}", 10.0 + k) for k in LINES),
           *((f"rl{k}", f"n{k}", "0", 1e4) for k in LINES)]
NODES = [f"n{k}" for k in LINES]


@pytest.mark.parametrize(("elements", "nodes", "most"), [
    (DRIVERS, NODES, 1),
    (DRIVERS, [*NODES, "s"], 1),
    ([("v2", "t", "s", 0.5), *((f"rt{k}", "t", f"n{k}", 50.0) for k in LINES), *DRIVERS], [*NODES, "t"], 1),
    ([("e1", "t", "s", "s", "0", 3.0), *((f"rt{k}", "t", f"n{k}", 50.0) for k in LINES), *DRIVERS], NODES, 1),
    ([*DRIVERS, ("rx", "n0", "n1", 20.0)], NODES, 2),
    ([*DRIVERS, *((f"rx{k}", f"n{k}", f"n{k + 1}", 20.0) for k in range(6))], NODES, 7),
    ([("rs", "s", "z", 3.0), ("v1", "z", "0", 1.0), *DRIVERS[1:]], NODES, 7),
    ([*DRIVERS, ("e1", "o", "0", "n2", "0", 5.0), ("r9", "o", "n3", 30.0)], [*NODES, "o"], 3),
    ([*DRIVERS, ("h1", "o", "0", "v1", 5.0), ("r9", "o", "n3", 30.0)], [*NODES, "o"], 8),
    ([*DRIVERS, ("f1", "0", "o", "v1", 5.0), ("r9", "o", "0", 30.0)], [*NODES, "o"], 8),
    ([*DRIVERS, ("g1", "0", "o", "n2", "0", 1e-3), ("r9", "o", "0", 30.0)], [*NODES, "o"], 2),
], ids=["ideal source", "held node", "source on source", "amplifier of a held node", "pair", "chain", "shared resistance",
        "amplifier", "read current, voltage", "read current, current", "conductance"])
def test_diagonal_of_an_inverse(elements: list[tuple], nodes: list[str], most: int) -> None:
    found, wanted, count = probed(elements, nodes)
    assert_allclose(found, wanted, rtol=1e-10, atol=1e-13)
    assert count <= most


@given(st.integers(3, 25), st.integers(0, 2 ** 32))
@settings(max_examples=100)
def test_diagonal_of_an_inverse_of_any_pattern(n: int, seed: int) -> None:
    """Sparse, unsymmetric, with one-way influence: whatever is taken away or probed together, the entries are exact."""
    rng = np.random.default_rng(seed)
    a = np.where(rng.random((n, n)) < 1.2 / n, rng.standard_normal((n, n)), 0.0)
    np.fill_diagonal(a, 2.0)
    a[np.arange(n), np.argsort(rng.random(n))] += rng.choice([0.0, 1.0], n) * 0.5
    if np.linalg.cond(a) > 1e6:
        return
    matrix, at = csc_array(a), rng.permutation(n)[:rng.integers(1, n)]
    found = probing.inverse_diagonal(matrix, factorise(matrix, slice(0, n)), at)
    assert_allclose(found, np.linalg.inv(a)[at, at], rtol=1e-8, atol=1e-10)


def test_large_parts_are_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the node's own conductances, which is what it sees if its neighbours are held."""
    monkeypatch.setattr(probing, "_PROBES", 3)
    chain = [*DRIVERS, *((f"rx{k}", f"n{k}", f"n{k + 1}", 20.0) for k in range(6))]
    found, wanted, count = probed(chain, NODES)
    assert count == 0
    assert found[0] == pytest.approx(1 / (1 / 10 + 1e-4 + 1 / 20)) and (found < wanted).all()
