"""Neural networks on solved arrays: weights as pairs of junctions, perceptrons, what they get right."""

from crossbar.nn.mapping import DifferentialPairs, PairArray, vmm
from crossbar.nn.metrics import accuracy, labels
from crossbar.nn.perceptron import HardwareLayer, HardwarePerceptron, Layer, LayerTrace, Network, Perceptron

__all__ = ["DifferentialPairs", "HardwareLayer", "HardwarePerceptron", "Layer", "LayerTrace", "Network",
           "PairArray", "Perceptron", "accuracy", "labels", "vmm"]
