"""What reading one cell of an array delivers, for one cell or for every cell at once.

For linear cells every read follows from O(lines) solves. Let G be the conductances between all M + N terminals (currents into
the array), lines of a floating kind be fed with currents and lines of a held kind with voltages. With floating lines F and
held lines H the ports obey the hybrid equations

    V_F = Z I_F - Z G_FH V_H           Z = G_FF^-1  (a part of the network that no line holds gets a reference, which carries
    I_H = G_HF V_F + G_HH V_H              no current as what is fed in returns: then Z is a generalised inverse, and
                                           Z_ii + Z_jj - 2 Z_ij the resistance distance between two lines)

of which a read of cell (i, j) takes the rows and columns of its word line i and bit line j. Another conductance g + d of that
cell is an update of rank one: with k_i, k_j its voltages per unit input at both ports and rho the resistance between its two
nodes (Sherman, Morrison, Ann. Math. Stat. 21, 124 (1950)),

    response_ab -> response_ab -+ d k_a k_b / (1 + d rho)          (- fed ports, + held ports)

k takes one solve a line; rho, M x N different right-hand sides, one block elimination (solvers/green.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crossbar import memory, mtj
from crossbar.arrays.drives import Drive
from crossbar.arrays.schemes import Scheme, selection
from crossbar.arrays.sensitivity import Solvable
from crossbar.checks import choice, real_array
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.cells import Cells, LinearCells, MTJCells
from crossbar.elements.xbar import SIDES, connected_parts, lines_of, with_leads
from crossbar.errors import DataError
from crossbar.solvers.green import cell_resistance

_TOGETHER = 2 ** 20  # reads x cells whose node voltages are kept at once
_ONLY_PATH = 1e-3     # a cell's conductance over that between its nodes, below which rank-one updates lose digits

Sides = tuple[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadBreakdown:
    """Reads of single cells; (...) is (M, N) for every cell, else as the selection was.

    With one sense terminal, at the selected bit line, and nothing else connected to that line, its current is the sum of the
    currents of the line's cells: the selected one's own, and whatever came around it through others.
    """

    scheme: Scheme
    voltage: float
    sense_current: Array     # (...) out of the array at the selected bit line [A]
    source_current: Array    # (...) into the array at the selected word line [A]
    selected_current: Array  # (...) through the selected cell [A]

    @property
    def around_current(self) -> Array:
        """(...) sense current that did not pass the selected cell [A]."""
        return self.sense_current - self.selected_current

    @property
    def selected_share(self) -> Array:
        """(...) share of the sense current that passed the selected cell; NaN where none flows."""
        return _ratio(self.selected_current, self.sense_current)

    @property
    def sneak_share(self) -> Array:
        """(...) the rest: share of the sense current that came around it; negative where current turns back."""
        return _ratio(self.around_current, self.sense_current)


@dataclass(frozen=True, kw_only=True, eq=False)
class SenseMargin:
    """Read currents of a cell in both states, the others as they are; (...) is (M, N), or as the selection was."""

    scheme: Scheme
    voltage: float
    current_p: Array   # (...) sense current with the cell parallel [A]
    current_ap: Array  # (...) and antiparallel [A]

    @property
    def margin(self) -> Array:
        """(...) difference of the two [A]."""
        return self.current_p - self.current_ap

    @property
    def relative(self) -> Array:
        """(...) (I_P - I_AP) / I_AP, the TMR that is left at the sense terminal; NaN where no current flows."""
        return _ratio(self.margin, self.current_ap)


def terminal_conductance(array: Solvable, sides: Sequence[str], rtol: float) -> Array:
    """Conductances (T, T) [S] between the terminals of some sides, the rest open; see `ArrayAlgebra`."""
    if not array.cells.linear:
        raise DataError("terminal conductances exist for linear cells only; linearise them, as "
                        "array.with_cells(array.cells.conductance)")
    for side in sides:
        choice(side, SIDES, "each of the sides")
    if not sides or len(set(sides)) < len(sides):
        raise DataError(f"sides are some of {', '.join(SIDES)}, each once, not {sides!r}")
    count = sum(lines_of(side, array.shape) for side in sides)
    memory.require(f"conductances between {count} terminals", 32.0 * count ** 2)
    into = []
    for side in sides:
        drives: dict[str, Drive] = {s: 0.0 if s in sides else None for s in SIDES}
        drives[side] = np.eye(lines_of(side, array.shape))
        out = array.solve(**drives, rtol=rtol, keep="terminals").terminal_current  # type: ignore[arg-type]
        into.append(-np.concatenate([out[s] for s in sides], axis=1))
    g = np.concatenate(into)
    return (g + g.T) / 2


def effective_conductance(array: Solvable, scheme: Scheme, at: str, sides: Sides, rtol: float) -> Array:
    """See `ArrayAlgebra.effective_conductance`."""
    choice(at, ("sense", "source"), "at, where the tester measures,")
    volts = scheme.selected_row - scheme.selected_column
    if volts == 0:
        raise DataError(f"scheme {scheme.name!r} applies no voltage between the selected lines")
    sense, source, _ = _Ports(array, scheme, sides, rtol).read(1.0)
    return (sense if at == "sense" else source) / volts


def read_breakdown(array: Solvable, row: npt.ArrayLike | None, column: npt.ArrayLike | None, scheme: Scheme,
                   voltage: float, sides: Sides, rtol: float) -> ReadBreakdown:
    """See `ArrayAlgebra.read_breakdown`."""
    where = _selected(array, row, column)
    if where is None and array.cells.linear:
        ports = _Ports(array, scheme, sides, rtol)
        ports.find_fields()
        sense, source, cell = ports.read(voltage)
        selected = array.cells.conductance * cell
    else:
        rows, columns = np.indices(array.shape) if where is None else where
        found = _solved_reads(array, rows.ravel(), columns.ravel(), scheme, voltage, sides, rtol)
        sense, source, selected = (x.reshape(rows.shape) for x in found)
    return ReadBreakdown(scheme=scheme, voltage=voltage, sense_current=sense, source_current=source,
                         selected_current=selected)


def sense_margin(array: Solvable, row: npt.ArrayLike | None, column: npt.ArrayLike | None, scheme: Scheme, voltage: float,
                 states: tuple[npt.ArrayLike, npt.ArrayLike] | None, sides: Sides, rtol: float) -> SenseMargin:
    """See `ArrayAlgebra.sense_margin`."""
    where = _selected(array, row, column)
    ends = _both_states(array.cells, states)
    if array.cells.linear:
        array = array.with_cells(LinearCells(g=array.cells.conductance))

    def solved(rows: IntArray, columns: IntArray) -> list[Array]:
        return [_solved_variants(array, rows, columns, value, scheme, voltage, sides, rtol) for value in ends]
    if where is None and array.cells.linear:
        m, n = array.shape
        memory.require(f"block elimination of {m} x {n} cells", 8.0 * max(m, n) * min(m, n) ** 2 + 160.0 * m * n)
        ports = _Ports(array, scheme, sides, rtol)
        ports.find_fields()
        ports.find_resistances()
        changes = [g - array.cells.conductance for g in ends]
        currents = [ports.read(voltage, delta)[0].copy() for delta in changes]
        # an open cell that would join what nothing joins, a cell that is opened and was (nearly) the only path
        alone = (ports.parts[0] != ports.parts[1]) | (1 + np.minimum(*changes) * ports.rho < _ONLY_PATH)
        if alone.any():
            for current, value in zip(currents, solved(*np.nonzero(alone)), strict=True):
                current[alone] = value
    else:
        rows, columns = np.indices(array.shape) if where is None else where
        currents = [found.reshape(rows.shape) for found in solved(rows.ravel(), columns.ravel())]
    return SenseMargin(scheme=scheme, voltage=voltage, current_p=currents[0], current_ap=currents[1])


class _Ports:
    """Hybrid description of the two terminals and of the cell of every read (i, j), as the module's head has it."""

    def __init__(self, array: Solvable, scheme: Scheme, sides: Sides, rtol: float) -> None:
        self.array, self.scheme, self.sides, self.rtol = array, scheme, sides, rtol
        m, n = self.shape = array.shape
        self.rows_float, self.columns_float = scheme.rows is None, scheme.columns is None
        conductance = terminal_conductance(array, sides, rtol)
        self.fed = np.repeat([self.rows_float, self.columns_float], (m, n))
        idle = np.repeat([scheme.rows or 0.0, scheme.columns or 0.0], (m, n))
        self.parts = connected_parts(array.r_word, array.r_bit, array.cells.conductance > 0)
        part = self._terminal_parts()
        self.volts, h = _hybrid(conductance, self.fed, part)
        if self.fed.any():  # a common voltage drives nothing; without it, voltages that are equal but for rounding do neither
            label = np.unique(part, return_inverse=True)[1]
            share = (label == np.arange(label.max() + 1)[:, None]).astype(float)
            self.volts -= (share @ self.volts / share.sum(axis=1, keepdims=True))[label]
        if self.rows_float != self.columns_float:  # a fed line that nothing holds takes no current
            held = np.isin(part, part[~self.fed])
            h[np.diag_indices(m + n)] = np.where(self.fed & ~held, np.inf, h.diagonal())
        self.apart = part[:m, None] != part[None, m:]
        diagonal = h.diagonal()
        self.h_ii, self.h_jj, self.h_ij, self.h_ji = diagonal[:m, None], diagonal[None, m:], h[:m, m:], h[m:, :m].T
        held_at = np.unique(idle[~self.fed])
        self.at_rest = held_at.size < 2  # all idle lines at one voltage: fed ones come to it, and nothing flows
        background = self.fed * held_at.sum() if self.at_rest else h @ idle
        self.y_i, self.y_j = background[:m, None], background[None, m:]
        nothing: Array = np.zeros((1, 1))
        self.k_i = self.k_j = self.v_idle = self.rho = nothing

    def read(self, voltage: float, delta: Array | float = 0.0) -> tuple[Array, Array, Array]:
        """Sense, source and cell voltages or currents (M, N): out at column j [A], in at row i [A], across the cell [V].

        delta : (M, N) what is added to the cell's conductance [S], for each read by itself.
        """
        s, v = self.scheme, voltage
        k_i, k_j, idle = self.k_i, self.k_j, v * self.v_idle
        loaded = 1 + delta * self.rho
        with np.errstate(divide="ignore", invalid="ignore"):
            d = delta / loaded
            d_i, d_j = (d if fed else -d for fed in (self.rows_float, self.columns_float))
            y_i, y_j = v * self.y_i - d_i * k_i * idle, v * self.y_j - d_j * k_j * idle
            h_ii, h_ij = self.h_ii - d_i * k_i * k_i, self.h_ij - d_i * k_i * k_j
            h_ji, h_jj = self.h_ji - d_j * k_j * k_i, self.h_jj - d_j * k_j * k_j
            if self.rows_float and self.columns_float:
                between = np.where(self.apart, np.inf, h_ii + h_jj - h_ij - h_ji)
                x_i = v * (s.selected_row - s.selected_column) / between
                x_j = -x_i
            elif self.rows_float:
                x_j = np.full_like(h_ij, v * (s.selected_column - (s.columns or 0.0)))
                x_i = (v * s.selected_row - y_i - h_ij * x_j) / h_ii
            elif self.columns_float:
                x_i = np.full_like(h_ij, v * (s.selected_row - (s.rows or 0.0)))
                x_j = (v * s.selected_column - y_j - h_ji * x_i) / h_jj
            else:
                x_i = np.full_like(h_ij, v * (s.selected_row - (s.rows or 0.0)))
                x_j = np.full_like(h_ij, v * (s.selected_column - (s.columns or 0.0)))
            i_i = x_i if self.rows_float else y_i + h_ii * x_i + h_ij * x_j
            i_j = x_j if self.columns_float else y_j + h_ji * x_i + h_jj * x_j
            cell = (idle + k_i * x_i + k_j * x_j) / loaded
        return -np.broadcast_to(i_j, self.shape), np.broadcast_to(i_i, self.shape), np.broadcast_to(cell, self.shape)

    def find_fields(self) -> None:
        """Cell voltages (M, N) per unit input at the row and at the column of each cell, and with all lines idle."""
        m, n = self.shape
        memory.require(f"reads of {m} x {n} cells", 8.0 * 12 * m * n)
        k_i, k_j = np.zeros(self.shape), np.zeros(self.shape)
        size = max(1, _TOGETHER // (m * n))
        for start in tqdm(range(0, m + n, size), desc="reads", unit_scale=size, unit="lines", delay=2, disable=None):
            lines = np.arange(start, min(start + size, m + n))
            v = self._cell_voltage({self.sides[0]: self.volts[:m, lines].T, self.sides[1]: self.volts[m:, lines].T})
            rows, columns = lines[lines < m], lines[lines >= m] - m
            k_i[rows] = v[np.arange(len(rows)), rows]
            k_j[:, columns] = v[len(rows) + np.arange(len(columns)), :, columns].T
        self.k_i, self.k_j = k_i, k_j
        if not self.at_rest:
            self.v_idle = self._cell_voltage(dict(zip(self.sides, (self.scheme.rows, self.scheme.columns), strict=True)))

    def find_resistances(self) -> None:
        """Resistance (M, N) between the nodes of each cell, held lines at 0 V, floating ones open."""
        m, n = self.shape
        g = self.array.cells.conductance
        floats = (self.rows_float, self.columns_float)
        r_word, r_bit = self._leads([side for side, floating in zip(self.sides, floats, strict=True) if not floating])
        label = np.concatenate([part.ravel() for part in self.parts[::-1]])  # bit nodes first
        parts, first = np.unique(label, return_index=True)
        leak = np.zeros(label.size)
        leak[first[~np.isin(parts, self._terminal_parts()[~self.fed])]] = g.max(initial=0.0) or 1.0
        bit, word = leak.reshape(2, m, n)
        self.rho = cell_resistance(r_word, r_bit, g, (word, bit))

    def _cell_voltage(self, drives: dict) -> Array:
        """Cell voltages (..., M, N) [V], 0 where no terminal reaches."""
        every = dict.fromkeys(SIDES) | drives
        return np.nan_to_num(self.array.solve(**every, rtol=self.rtol).cell_voltage, copy=False)

    def _leads(self, sides: Sequence[str]) -> tuple[Array, Array]:
        """Segment resistances with all ends on these sides connected, the others open."""
        connected = {side: np.ones(lines_of(side, self.shape), bool) for side in sides}
        return with_leads(self.array.r_word, self.array.r_bit, self.array.r_driver, connected)

    def _terminal_parts(self) -> IntArray:
        """Labels (M + N,) of the parts of the network that the terminals reach; open ends are parts of their own."""
        r_word, r_bit = self._leads(self.sides)
        at, lead = [], []
        for side in self.sides:
            plane, r = (self.parts[0], r_word) if side in SIDES[:2] else (self.parts[1].T, r_bit.T)
            end = 0 if side in SIDES[::2] else -1
            at.append(plane[:, end])
            lead.append(r[:, end])
        label = np.concatenate(at)
        opened = np.isinf(np.concatenate(lead))
        label[opened] = -1 - np.flatnonzero(opened)
        return label


def _hybrid(g: Array, fed: Mask, part: IntArray) -> tuple[Array, Array]:
    """Terminal voltages (T, T) of each unit input, and the hybrid matrix (T, T): V of fed, I of held lines per I, V.

    g : (T, T) [S]; fed : (T,); part : (T,) labels of connected parts; one with fed lines only gets a reference.
    """
    f, h = np.flatnonzero(fed), np.flatnonzero(~fed)
    lonely = ~np.isin(part[f], part[h])
    reference = lonely[:, None] & (part[f][:, None] == part[f])
    own = g[np.ix_(f, f)]
    z = np.linalg.inv(own + reference * (own.diagonal().max(initial=0.0) or 1.0) / max(len(f), 1))
    across = g[np.ix_(f, h)]
    volts, out = np.zeros_like(g), np.zeros_like(g)
    volts[np.ix_(f, f)], volts[np.ix_(f, h)], volts[h, h] = z, -z @ across, 1.0
    out[f] = volts[f]
    out[np.ix_(h, f)] = across.T @ z
    out[np.ix_(h, h)] = g[np.ix_(h, h)] - across.T @ z @ across
    return volts, out


def _solved_reads(array: Solvable, rows: IntArray, columns: IntArray, scheme: Scheme, voltage: float, sides: Sides,
                  rtol: float) -> tuple[Array, Array, Array]:
    """Sense, source and selected currents (count,) of cells (rows, columns), each read solved."""
    out = np.empty((3, len(rows)))
    size = max(1, _TOGETHER // (array.shape[0] * array.shape[1]))
    for start in tqdm(range(0, len(rows), size), desc="reads", unit_scale=size, unit="cells", delay=2, disable=None):
        i, j = rows[start:start + size], columns[start:start + size]
        k = np.arange(len(i))
        s = array.solve(**scheme.drives(array.shape, i, j, voltage, sides=sides), rtol=rtol)  # type: ignore[arg-type]
        out[:, start + k] = (s.terminal_current[sides[1]][k, j], -s.terminal_current[sides[0]][k, i], s.cell_current[k, i, j])
    return out[0], out[1], out[2]


def _solved_variants(array: Solvable, rows: IntArray, columns: IntArray, value: Array, scheme: Scheme, voltage: float,
                     sides: Sides, rtol: float) -> Array:
    """Sense currents (count,) of cells (rows, columns), each read with that cell alone at its value (M, N)."""
    out = np.empty(len(rows))
    pairs = zip(rows, columns, strict=True)
    for k, (i, j) in enumerate(tqdm(pairs, total=len(rows), desc="sense margin", unit="cells", delay=2, disable=None)):
        other = array.with_cells(_with_one(array.cells, i, j, value[i, j]))
        out[k] = _solved_reads(other, np.array([i]), np.array([j]), scheme, voltage, sides, rtol)[0][0]
    return out


def _selected(array: Solvable, row: npt.ArrayLike | None, column: npt.ArrayLike | None) -> tuple[IntArray, IntArray] | None:
    """The cells asked for, None: every cell."""
    if row is None and column is None:
        return None
    if row is None or column is None:
        raise DataError("a read needs a row and a column, or neither: every cell")
    return selection(array.shape, row, column)


def _both_states(cells: Cells, states: tuple[npt.ArrayLike, npt.ArrayLike] | None) -> tuple[Array, Array]:
    """Per cell (M, N), parallel and antiparallel: conductances [S] of linear cells, m_z of other junctions."""
    if isinstance(cells, MTJCells):
        if states is not None:
            raise DataError("junctions know their states; states=(g_p, g_ap) is for linear cells")
        both = [np.asarray(mtj.conductance(cells.params, m_z) if cells.linear else m_z) for m_z in (1.0, -1.0)]
    elif isinstance(cells, LinearCells):
        if not isinstance(states, tuple | list) or len(states) != 2:
            raise DataError("linear cells need states=(g_p, g_ap), their conductances [S] in both states, scalar or (M, N)")
        both = [real_array(g, "states [S]") for g in states]
        if not all((np.isfinite(g) & (g >= 0)).all() for g in both):
            raise DataError("states=(g_p, g_ap): conductances must be finite and at least 0 [S]")
    else:
        raise DataError(f"no sense margin for {type(cells).__name__}: it needs MTJCells, or linear cells and states")
    try:
        p, ap = (np.broadcast_to(g, cells.shape) for g in both)
    except ValueError:
        raise DataError(f"states=(g_p, g_ap) must be scalars or have shape {cells.shape}") from None
    return p, ap


def _with_one(cells: Cells, i: int, j: int, value: float) -> Cells:
    """The cells with cell (i, j) at another conductance, or of another m_z."""
    if isinstance(cells, LinearCells):
        g = cells.g.copy()
        g[i, j] = value
        return replace(cells, g=g)
    assert isinstance(cells, MTJCells) and cells.m_z is not None  # _both_states saw to it
    m_z = cells.m_z.copy()
    m_z[i, j] = value
    return MTJCells(cells.params, m_z=m_z)


def _ratio(a: Array, b: Array) -> Array:
    """a / b, NaN where b is 0."""
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=np.asarray(b) != 0)
