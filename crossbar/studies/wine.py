"""Wine on passive arrays: what wires and bias-dependent junctions do to trained binary networks.

    y = tanh((I+ - I-) / (g_norm (G_P - G_AP) v_read) + b)     13 x 12 and 6 x 6 junctions, two layers, argmax

Every solution (device states and biases of one trained network) is read on its two arrays under each
condition: word lines driven at the left, bit lines grounded at the bottom, currents from the solved array. A
row of the result: median, mean, min and max accuracy over the solutions, on training and on test samples.

Setting: "Implementation of a Binary Neural Network on a Passive Array of Magnetic Tunnel Junctions". The
junctions are the preset "daffodil", read at 0.1 V as in the driver code of those boards. The shipped
solutions are this package's own (studies/data/README.md); `load_solutions` takes a file of others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
import numpy.typing as npt
from tqdm import tqdm  # type: ignore[import-untyped]

from crossbar import nn
from crossbar.elements.base import Array
from crossbar.errors import DataError
from crossbar.files import open_regular

_KEYS = ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias", "X_train", "Y_train", "X_test", "Y_test")
_AXES = {  # of each key: solutions k, inputs i, hidden h, classes c, devices 2h and 2c, samples n and m
    "fc1_weight": "k i 2h", "fc1_bias": "k h", "fc2_weight": "k h 2c", "fc2_bias": "k c",
    "X_train": "n i", "Y_train": "n c", "X_test": "m i", "Y_test": "m c"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Solutions:
    """Trained two-layer networks on one set of samples; DataError for shapes or values that do not fit."""

    fc1_weight: Array  # (k, inputs, 2 hidden) states 0 / 1 (1: parallel); columns 2j, 2j+1: + / - of unit j
    fc1_bias: Array    # (k, hidden)
    fc2_weight: Array  # (k, hidden, 2 classes)
    fc2_bias: Array    # (k, classes)
    x_train: Array     # (n, inputs) features in [0, 1]
    y_train: Array     # (n, classes) one-hot
    x_test: Array      # (m, inputs)
    y_test: Array      # (m, classes)
    source: str = "arrays"  # where they come from

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        for key in _KEYS:
            value = self._checked(key)
            object.__setattr__(self, key.lower(), value)
            for axis, size in zip(_AXES[key].split(), value.shape, strict=True):
                factor = 2 if axis.startswith("2") else 1
                if size % factor or sizes.setdefault(axis[-1], size // factor) != size // factor:
                    known = ", ".join(f"{name} = {n}" for name, n in sizes.items())
                    raise DataError(f"{self.source}: {key} must be {_shape(key)}, got {value.shape}; {known}")

    def _checked(self, key: str) -> Array:
        value = np.asarray(getattr(self, key.lower()))
        if value.dtype.kind not in "biuf":
            raise DataError(f"{self.source}: {key} holds {value.dtype}, not numbers")
        if value.ndim != len(_AXES[key].split()) or value.size == 0:
            raise DataError(f"{self.source}: {key} must be {_shape(key)}, not empty, got {value.shape}")
        if not np.isfinite(value).all():
            raise DataError(f"{self.source}: {key} holds NaN or infinity")
        if key.endswith("weight") and not np.isin(value, (0, 1)).all():
            raise DataError(f"{self.source}: {key} must hold device states, 0 or 1 (1: parallel)")
        if key.startswith("Y") and not (np.isin(value, (0, 1)).all() and (value.sum(axis=1) == 1).all()):
            raise DataError(f"{self.source}: {key} must hold one-hot rows")
        return value.astype(float)

    def __len__(self) -> int:
        return len(self.fc1_weight)

    def network(self, index: int) -> nn.Perceptron:
        """Solution `index` as a software network. Raises DataError beyond the range."""
        check_index(index, len(self), "solution")
        return nn.Perceptron.from_states([(self.fc1_weight[index], self.fc1_bias[index]),
                                          (self.fc2_weight[index], self.fc2_bias[index])])

    def samples(self, part: str) -> tuple[Array, npt.NDArray[np.intp]]:
        """Features (n, inputs) and classes (n,) of the part "train" or "test"."""
        if part not in ("train", "test"):
            raise DataError(f'the samples have the parts "train" and "test", not {part!r}')
        x, y = (self.x_train, self.y_train) if part == "train" else (self.x_test, self.y_test)
        return x, nn.labels(y)


def load_solutions(path: str | Path | None = None) -> Solutions:
    """Solutions from an .npz file with the keys of studies/data/README.md; None: the shipped ones.

    Raises FileNotFoundError if there is none; DataError, naming what is wrong, if it is no such file.
    """
    if path is None:
        return shipped_solutions()
    try:
        with open_regular(Path(path)) as (stream, _):
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: a single array, not an .npz file of several")
            missing = [key for key in _KEYS if key not in file.files]
            if missing:
                raise DataError(f"{path}: no {', '.join(missing)} in it; it must hold {', '.join(_KEYS)}")
            return Solutions(**{key.lower(): file[key] for key in _KEYS}, source=str(path))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, MemoryError, BadZipFile, ZlibError) as problem:
        raise DataError(f"{path}: not a readable .npz file of plain arrays") from problem


def shipped_solutions() -> Solutions:
    """The 20 solutions that come with the package."""
    with resources.as_file(resources.files("crossbar.studies") / "data" / "wine20.npz") as path:
        return replace(load_solutions(path), source="shipped with the package")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How the arrays are built and read."""

    name: str
    r_wire: float = 0.0          # segments of word and bit lines [ohm]
    v_h: float = float("inf")    # bias at which the TMR is halved [V]; inf: independent of bias
    g_norm: float = 1.0          # gain divisor
    v_read: float = 0.1          # word-line voltage of input 1 [V]
    preset: str = "daffodil"     # the junctions otherwise
    shape: tuple[int, int] | None = None  # of a larger array, idle lines grounded; None: exact

    def map(self, network: nn.Perceptron) -> nn.HardwarePerceptron:
        """The network on arrays of this condition."""
        pairs = nn.DifferentialPairs(self.preset)  # type: ignore[arg-type]
        pairs = nn.DifferentialPairs(pairs.params.replace(v_h=self.v_h))
        return network.map(pairs, r_wire=self.r_wire, v_read=self.v_read, g_norm=self.g_norm,
                           shape=self.shape)


IDEAL = (Condition(name="ideal"), Condition(name="ideal, low gain", g_norm=1.5),
         Condition(name="ideal, high gain", g_norm=0.5))
WIRES = Condition(name="wires", r_wire=2.0)
BIAS = Condition(name="TMR(V)", v_h=0.5)
WIRES_BIAS = Condition(name="wires, TMR(V)", r_wire=2.0, v_h=0.5)
CONDITIONS = (*IDEAL, WIRES, BIAS, WIRES_BIAS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """Accuracies of all solutions under one condition."""

    condition: Condition
    train: Array  # (solutions,) [%]
    test: Array   # (solutions,) [%]

    def summary(self, part: str) -> dict[str, float]:
        """median, mean, min, max [%] over the solutions, part "train" or "test"."""
        values = {"train": self.train, "test": self.test}[part]
        return {name: float(f(values)) for name, f in
                (("median", np.median), ("mean", np.mean), ("min", np.min), ("max", np.max))}


@dataclass(frozen=True, kw_only=True, eq=False)
class WineStudy:
    """The study's result; `table()` is the printable form."""

    rows: tuple[Row, ...]
    source: str
    solutions: int

    def row(self, name: str) -> Row:
        """The row of the condition of that name. Raises DataError if there is none."""
        for row in self.rows:
            if row.condition.name == name:
                return row
        raise DataError(f"no row {name!r}; there are {', '.join(repr(r.condition.name) for r in self.rows)}")

    def table(self) -> str:
        """Accuracies [%] as lines of text, one condition each."""
        width = max(len("condition"), *(len(row.condition.name) for row in self.rows))
        parts = "".join(f"{part + ' ' + name:>14}" if name == "median" else f"{name:>8}"
                        for part in ("train", "test") for name in ("median", "mean", "min", "max"))
        lines = [f"Wine: accuracy [%] of {self.solutions} solutions ({self.source})",
                 f"{'condition':<{width}}  {'R [ohm]':>7}  {'V_h [V]':>7}  {'g_norm':>6}{parts}"]
        for row in self.rows:
            c = row.condition
            cells = "".join(f"{value:>14.2f}" if name == "median" else f"{value:>8.2f}"
                            for part in ("train", "test") for name, value in row.summary(part).items())
            lines.append(f"{c.name:<{width}}  {c.r_wire:>7g}  {c.v_h:>7g}  {c.g_norm:>6g}{cells}")
        return "\n".join(lines)


def run(solutions: Solutions | None = None, conditions: Sequence[Condition] = CONDITIONS, *,
        progress: bool = True) -> WineStudy:
    """Accuracy of every solution (None: the shipped ones) under every condition.

    progress : show a bar on a terminal once 2 s have passed. Raises DataError without conditions.
    """
    solutions = shipped_solutions() if solutions is None else solutions
    if not conditions:
        raise DataError("the study needs at least one condition")
    networks = [solutions.network(k) for k in range(len(solutions))]
    with tqdm(total=len(conditions) * len(networks), desc="wine", unit="networks", delay=2,
              disable=None if progress else True) as bar:
        rows = tuple(_row(solutions, networks, condition, bar) for condition in conditions)
    return WineStudy(rows=rows, source=solutions.source, solutions=len(networks))


def _row(solutions: Solutions, networks: Sequence[nn.Perceptron], condition: Condition, bar: Any) -> Row:
    """All networks under one condition; training and test samples are solved as one batch."""
    (x_train, y_train), (x_test, y_test) = solutions.samples("train"), solutions.samples("test")
    x, n = np.concatenate((x_train, x_test)), len(x_train)
    train, test = [], []
    for network in networks:
        predicted = condition.map(network).predict(x)
        train.append(100 * nn.accuracy(predicted[:n], y_train))
        test.append(100 * nn.accuracy(predicted[n:], y_test))
        bar.update()
    return Row(condition=condition, train=np.array(train), test=np.array(test))


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification:
    """One sample's way through both arrays of one solution; `report()` is the printable form."""

    condition: Condition
    solution: int
    part: str
    sample: int
    layers: tuple[nn.LayerTrace, ...]
    predicted: int
    truth: int
    software: int  # class by the software network

    @property
    def relative_residual(self) -> float:
        """The worse of the arrays' sum |KCL| / sum |cell current|."""
        return max(float(layer.solution.relative_residual) for layer in self.layers)

    def report(self) -> str:
        """The trace as lines of text: bit-line currents in uA, activations, class, certificate."""
        c = self.condition
        lines = [f"solution {self.solution}, {self.part} sample {self.sample}, condition {c.name}: "
                 f"{c.r_wire:g} ohm, V_h {c.v_h:g} V, read at {c.v_read:g} V, g_norm {c.g_norm:g}"]
        for k, layer in enumerate(self.layers, start=1):
            s, (rows, columns) = layer.solution, layer.solution.cells.shape
            lines += [f"layer {k}: {rows} x {columns} cells, KCL residual {float(s.residual):.1e} A, "
                      f"relative {float(s.relative_residual):.1e}",
                      f"{'unit':>6}{'I+ [uA]':>12}{'I- [uA]':>12}{'x @ W':>12}{'y':>12}"]
            pairs = zip(layer.currents[0::2], layer.currents[1::2], layer.product, layer.y, strict=True)
            lines += [f"{unit:>6}{1e6 * plus:>12.5f}{1e6 * minus:>12.5f}{product:>12.6f}{y:>12.6f}"
                      for unit, (plus, minus, product, y) in enumerate(pairs)]
        verdict = "right" if self.predicted == self.truth else "wrong"
        lines.append(f"class {self.predicted}, truth {self.truth}: {verdict} (software: {self.software})")
        return "\n".join(lines)


def classify(solutions: Solutions, index: int, sample: int, *, part: str = "test",
             condition: Condition = WIRES_BIAS) -> Classification:
    """Trace of sample number `sample` of a part, "train" or "test", through the solved arrays of a solution.

    index : of the solution. Raises DataError for an index beyond its range.
    """
    network = solutions.network(index)
    x, y = solutions.samples(part)
    check_index(sample, len(x), f"{part} sample")
    layers = condition.map(network).trace(x[sample])
    return Classification(condition=condition, solution=index, part=part, sample=sample, layers=layers,
                          predicted=int(layers[-1].y.argmax()), truth=int(y[sample]),
                          software=int(network.predict(x[sample])))


def _shape(key: str) -> str:
    return f"({_AXES[key].replace(' ', ', ')})"


def check_index(index: int, count: int, what: str) -> None:
    """Raise DataError unless 0 <= index < count."""
    if not (isinstance(index, (int, np.integer)) and 0 <= index < count):
        raise DataError(f"there is no {what} {index}; they are numbered 0 to {count - 1}")
