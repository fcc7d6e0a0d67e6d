"""Multilayer perceptrons: in software, and on solved arrays of junction pairs.

    software    y = f(x @ W / g_norm + b)                                   layer by layer
    hardware    y = f((I+ - I-) / (g_norm (G_P - G_AP) v_read) + b)         solved currents, nn/mapping.py

W is in units of G_P - G_AP; the bias b and the activation f are digital; g_norm tunes the gain. The class is
the argmax of the last layer's y. With wires of 0 ohm and bias-independent junctions the two are equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from crossbar import mtj
from crossbar.elements.base import Array
from crossbar.elements.cells import Cells
from crossbar.elements.solution import ArraySolution
from crossbar.errors import DataError
from crossbar.nn import metrics
from crossbar.nn.mapping import (DifferentialPairs, Driver, PairArray, Shape, Wire, as_pairs, floats,
                                 matrix, pair_states, positive, vectors)
from crossbar.summaries import short_repr

#: The name of an activation, for all layers, or one name a layer.
Activation = str | Sequence[str]

#: Activations by name, elementwise on arrays.
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType({
    "tanh": np.tanh,
    "sigmoid": lambda z: (1 + np.tanh(z / 2)) / 2,
    "relu": lambda z: np.maximum(z, 0.0),
    "linear": lambda z: z,
})


class Network(ABC):
    """What takes inputs X (samples, inputs) to outputs (samples, outputs)."""

    @abstractmethod
    def forward(self, x: npt.ArrayLike) -> Array:
        """Outputs (..., outputs) of the last layer for inputs (inputs,) or (samples, inputs)."""

    def predict(self, x: npt.ArrayLike) -> metrics.IntArray:
        """Classes (...): index of the largest output, the first of equals; DataError with a single output."""
        y = self.forward(x)
        if y.shape[-1] < 2:
            raise DataError("a class is chosen among at least two outputs; this network has one, use forward")
        return np.asarray(y.argmax(axis=-1), dtype=np.intp)

    def accuracy(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Share in [0, 1] of samples x (samples, inputs) put into class y: numbers (samples,) or one-hot."""
        return metrics.accuracy(np.atleast_1d(self.predict(x)), y)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer of a software network. Raises DataError for misshapen or non-finite data.

    weights : (inputs, outputs), units of G_P - G_AP.  bias : (outputs,) or a scalar.
    states : (inputs, 2 outputs) +1 / -1 if the layer was given as devices, whose pairs the weights then are.
    """

    __repr__ = short_repr

    weights: Array
    bias: Array
    states: npt.NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        weights = matrix(self.weights, "weights (inputs, outputs)")
        outputs = weights.shape[1]
        bias = floats(0.0 if self.bias is None else self.bias, "a bias")
        if bias.shape not in ((), (outputs,)):
            raise DataError(f"{outputs} outputs need a bias of shape ({outputs},), got {bias.shape}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "bias", np.broadcast_to(bias, (outputs,)))

    @classmethod
    def from_states(cls, states: npt.ArrayLike, bias: npt.ArrayLike = 0.0) -> "Layer":
        """The layer of devices in states (inputs, 2 outputs), 1: parallel; columns 2k / 2k+1 are + / -."""
        states = pair_states(states)
        weights = (states[:, 0::2].astype(float) - states[:, 1::2]) / 2
        return cls(weights=weights, bias=bias, states=states)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, eq=False)
class Perceptron(Network):
    """A software network.

    activation : a name of ACTIVATIONS, or one a layer, ("relu", "linear"); kept as a tuple.
    g_norm : scalar or one a layer, divides the product; kept as a tuple.
    Raises DataError where layers do not fit each other or an activation is unknown.
    """

    __repr__ = short_repr

    layers: Sequence[Layer]
    activation: Activation = "tanh"
    g_norm: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        if not layers:
            raise DataError("a network needs at least one layer")
        for k, (before, after) in enumerate(zip(layers, layers[1:], strict=False)):
            if before.weights.shape[1] != after.weights.shape[0]:
                raise DataError(f"layer {k} has {before.weights.shape[1]} outputs, layer {k + 1} has "
                                f"{after.weights.shape[0]} inputs")
        object.__setattr__(self, "activation", activations(self.activation, len(layers)))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "g_norm", gains(self.g_norm, len(layers)))

    @classmethod
    def from_weights(cls, layers: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]], *,
                     activation: Activation = "tanh",
                     g_norm: float | Sequence[float] = 1.0) -> "Perceptron":
        """From (weights (inputs, outputs), bias (outputs,)) a layer, first layer first."""
        made = [Layer(weights=w, bias=b) for w, b in _two(layers)]  # type: ignore[arg-type]
        return cls(layers=made, activation=activation, g_norm=g_norm)  # type: ignore[arg-type]

    @classmethod
    def from_states(cls, layers: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]], *,
                    activation: Activation = "tanh",
                    g_norm: float | Sequence[float] = 1.0) -> "Perceptron":
        """From (device states (inputs, 2 outputs), bias (outputs,)) a layer; 1: parallel."""
        made = [Layer.from_states(s, b) for s, b in _two(layers)]
        return cls(layers=made, activation=activation, g_norm=g_norm)  # type: ignore[arg-type]

    def forward(self, x: npt.ArrayLike) -> Array:
        y = vectors(x, len(self.layers[0].weights))
        for layer, name, g_norm in zip(self.layers, self.activation, self.g_norm, strict=True):
            y = ACTIVATIONS[name](y @ layer.weights / g_norm + layer.bias)
        return y

    def map(self, pairs: DifferentialPairs | mtj.MTJParams | str = "daffodil", *, r_wire: Wire = 2.0,
            r_driver: Driver = 0.0, v_read: float = 0.1, g_norm: float | Sequence[float] | None = None,
            shape: Shape | Sequence[Shape] = None,
            activation: Activation | None = None) -> "HardwarePerceptron":
        """The network on passive arrays, one a layer.

        pairs : how weights become junctions.  r_wire : segment resistance [ohm], 0 exact, or (word, bit).
        r_driver : in series with the leads [ohm].  v_read : word-line voltage of input 1 [V].
        g_norm : gain divisor, scalar or one a layer; None: the software network's.
        shape : (rows, columns) of larger arrays with idle lines, or one a layer; None: as large as the layer.
        activation : a name, or one a layer; None: the software network's.
        """
        pairs = as_pairs(pairs)
        how: dict[str, Any] = {"r_wire": r_wire, "r_driver": r_driver, "v_read": v_read}
        made = []
        for layer, size in zip(self.layers, _shapes(shape, len(self.layers)), strict=True):
            array = (pairs.from_weights(layer.weights, shape=size, **how) if layer.states is None
                     else pairs.from_states(layer.states, shape=size, **how))
            made.append(HardwareLayer(array=array, bias=layer.bias))
        return HardwarePerceptron(layers=tuple(made),
                                  activation=self.activation if activation is None else activation,
                                  g_norm=self.g_norm if g_norm is None else g_norm)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, eq=False)
class HardwareLayer:
    """One layer on an array; bias (outputs,) is added digitally."""

    __repr__ = short_repr

    array: PairArray
    bias: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """One layer's way from inputs to activations; (...) is () or (samples,)."""

    __repr__ = short_repr

    x: Array                 # (..., inputs) activations that come in
    solution: ArraySolution  # of the array, with voltages, currents and residuals
    currents: Array          # (..., 2 outputs) bit-line currents [A], + and - lines in turn
    product: Array           # (..., outputs) x @ W as the array computes it
    y: Array                 # (..., outputs) activations that go out


@dataclass(frozen=True, kw_only=True, eq=False)
class HardwarePerceptron(Network):
    """A network on arrays, made by `Perceptron.map`. Inputs beyond [-1, 1] are read at more than v_read.

    Arrays of linear cells are solved once, for their transfer matrix; bias-dependent ones for every input.
    """

    __repr__ = short_repr

    layers: tuple[HardwareLayer, ...]
    activation: Activation = "tanh"  # kept as a tuple
    g_norm: tuple[float, ...] = field(default=(1.0,))

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", activations(self.activation, len(self.layers)))
        object.__setattr__(self, "g_norm", gains(self.g_norm, len(self.layers)))

    def forward(self, x: npt.ArrayLike) -> Array:
        y = vectors(x, self.layers[0].array.inputs)
        for k, layer in enumerate(self.layers):
            y = self._activate(k, layer.array.product(y))
        return y

    def trace(self, x: npt.ArrayLike) -> tuple[LayerTrace, ...]:
        """Every layer in detail for inputs (inputs,) or (samples, inputs), all solved, nothing cached."""
        y, steps = vectors(x, self.layers[0].array.inputs), []
        for k, layer in enumerate(self.layers):
            solution = layer.array.solve(y)
            currents = solution.bit_current[..., :2 * layer.array.outputs]
            product = layer.array.decode(currents)
            steps.append(LayerTrace(x=y, solution=solution, currents=currents, product=product,
                                    y=self._activate(k, product)))
            y = steps[-1].y
        return tuple(steps)

    def with_gain(self, g_norm: float | Sequence[float]) -> "HardwarePerceptron":
        """The same arrays (with what was solved for them) behind another g_norm, scalar or one a layer."""
        return replace(self, g_norm=g_norm)  # type: ignore[arg-type]

    def with_cells(self, cells: Sequence[Cells | npt.ArrayLike]) -> "HardwarePerceptron":
        """The same wires around other cells (rows, columns), one set a layer: written, defective ..."""
        if len(cells) != len(self.layers):
            raise DataError(f"{len(cells)} sets of cells for {len(self.layers)} layers")
        return replace(self, layers=tuple(replace(layer, array=layer.array.with_cells(new))
                                          for layer, new in zip(self.layers, cells, strict=True)))

    def _activate(self, k: int, product: Array) -> Array:
        return ACTIVATIONS[self.activation[k]](product / self.g_norm[k] + self.layers[k].bias)


def gains(g_norm: float | Sequence[float], layers: int) -> tuple[float, ...]:
    """One positive g_norm a layer from a scalar or a sequence, or DataError."""
    given = np.ravel(np.asarray(g_norm, dtype=object))
    if given.size not in (1, layers):
        raise DataError(f"g_norm is one number or one for each of {layers} layers, got {given.size}")
    return tuple(positive(g, "g_norm") for g in np.broadcast_to(given, (layers,)))


def activations(names: Activation, layers: int) -> tuple[str, ...]:
    """One name of ACTIVATIONS a layer from a name or a sequence of names, or DataError."""
    every = (names,) * layers if isinstance(names, str) else names
    if not isinstance(every, Sequence) or len(every) != layers:
        raise DataError(f"activation is a name, or a list of one for each of {layers} layers, not "
                        f"{names!r}")
    for name in every:
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise DataError(f"no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return tuple(every)


def _shapes(shape: Shape | Sequence[Shape], layers: int) -> list[Shape]:
    """One shape a layer from None, (rows, columns) or a sequence of such."""
    if shape is None or all(isinstance(size, (int, np.integer)) for size in shape):
        return [shape] * layers  # type: ignore[list-item]
    if len(shape) != layers:
        raise DataError(f"{len(shape)} array shapes for {layers} layers")
    return list(shape)  # type: ignore[arg-type]


def _two(layers: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]) -> list[tuple[npt.ArrayLike, npt.ArrayLike]]:
    """The layers, each checked to be a pair."""
    try:
        pairs = [tuple(layer) for layer in layers]
    except TypeError:
        raise DataError("layers are pairs (weights or states, bias), the first layer first") from None
    if any(len(pair) != 2 for pair in pairs):
        raise DataError("each layer is a pair (weights or states, bias)")
    return pairs  # type: ignore[return-value]
