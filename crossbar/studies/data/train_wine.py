"""Train binary 13-6-3 perceptrons on Wine and store them as a data file (wine20.npz).

Layer:     y = tanh(z),  z = (x @ G[:, 0::2] - x @ G[:, 1::2]) / g_norm + b,  g_norm = 1, argmax at the end
States:    G in {0, 1}, 1 = P (low resistance), in units of G_P - G_AP; columns 2k, 2k+1 are the + / - pair
Training:  G = (L > 0), a latent L in [-1, 1] for each device; the straight-through estimator takes dG/dL = 1.
           Loss: mean cross-entropy of softmax(z) of the last layer (tanh is monotonic: the same argmax).
           Full batch, Adam with a step that falls along a cosine.  Each solution keeps the states and biases
           of the step with its lowest training loss; the test set serves for the final report only.
Reference: Bengio, Leonard, Courville, arXiv:1308.3432 (straight-through); Kingma, Ba, arXiv:1412.6980 (Adam).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_wine  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from tqdm import tqdm  # type: ignore[import-untyped]

Array = NDArray[np.float64]
SEED = 2003781511
N_IN, N_HIDDEN, N_OUT, N_TEST = 13, 6, 3, 30
KEYS = ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How to train."""

    steps: int = 3000     # Adam steps, each on the whole training set
    rate: float = 0.02    # first step size; falls to 0 along half a cosine
    beta1: float = 0.9    # decay of Adam's mean gradient
    beta2: float = 0.999  # decay of Adam's mean squared gradient


def load_split(seed: np.random.SeedSequence) -> dict[str, Array]:
    """Wine, stratified into 148 training and 30 test samples.

    Each feature is scaled to [0, 1] by the minimum and maximum of the training set; test values beyond are
    clipped, as an input is a voltage of limited range.  Returns X_* (n, 13) and Y_* (n, 3), one-hot.
    """
    x, label = load_wine(return_X_y=True)
    state = int(seed.generate_state(1)[0])
    parts = train_test_split(x, label, test_size=N_TEST, stratify=label, random_state=state)
    x_train, x_test, l_train, l_test = parts
    low, high = x_train.min(axis=0), x_train.max(axis=0)
    one_hot = np.eye(N_OUT)
    return {"X_train": (x_train - low) / (high - low), "Y_train": one_hot[l_train],
            "X_test": np.clip((x_test - low) / (high - low), 0.0, 1.0), "Y_test": one_hot[l_test]}


def initial_latents(seeds: Sequence[np.random.SeedSequence]) -> list[Array]:
    """Latents (s, 13, 12), (s, 6, 6) uniform in [-1, 1], zero biases (s, 6), (s, 3), for s seeds."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    fc1 = np.stack([rng.uniform(-1.0, 1.0, (N_IN, 2 * N_HIDDEN)) for rng in rngs])
    fc2 = np.stack([rng.uniform(-1.0, 1.0, (N_HIDDEN, 2 * N_OUT)) for rng in rngs])
    return [fc1, np.zeros((len(rngs), N_HIDDEN)), fc2, np.zeros((len(rngs), N_OUT))]


def binarise(latents: Sequence[Array]) -> list[Array]:
    """States (L > 0) of the two weight arrays as 0.0 / 1.0; biases as they are."""
    fc1, b1, fc2, b2 = latents
    return [(fc1 > 0).astype(float), b1, (fc2 > 0).astype(float), b2]


def forward(x: Array, params: Sequence[Array]) -> tuple[Array, Array]:
    """Hidden activations (s, n, 6) and last-layer z (s, n, 3) of inputs x (n, 13), for all s solutions."""
    g1, b1, g2, b2 = params
    hidden = np.tanh(x @ (g1[..., 0::2] - g1[..., 1::2]) + b1[:, None])
    return hidden, hidden @ (g2[..., 0::2] - g2[..., 1::2]) + b2[:, None]


def pair_gradient(weight_gradient: Array) -> Array:
    """Gradient (s, rows, 2k) by the states from that by the weights G+ - G- (s, rows, k)."""
    s, rows, k = weight_gradient.shape
    return np.stack([weight_gradient, -weight_gradient], axis=-1).reshape(s, rows, 2 * k)


def loss_and_gradient(x: Array, y: Array, params: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Loss (s,) and its gradient by each of `params`, for x (n, 13) and one-hot y (n, 3)."""
    hidden, z = forward(x, params)
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    loss = -(y * log_p).sum(axis=(1, 2)) / len(x)
    dz2 = (np.exp(log_p) - y) / len(x)
    w2 = params[2][..., 0::2] - params[2][..., 1::2]
    dz1 = (dz2 @ w2.transpose(0, 2, 1)) * (1.0 - hidden**2)
    return loss, [pair_gradient(x.T @ dz1), dz1.sum(axis=1), pair_gradient(hidden.transpose(0, 2, 1) @ dz2),
                  dz2.sum(axis=1)]


def train(x: Array, y: Array, seeds: Sequence[np.random.SeedSequence], how: Training) -> list[Array]:
    """Trained states and biases in the order of KEYS, one solution for each of `seeds`."""
    latents = initial_latents(seeds)
    mean, square = [np.zeros_like(p) for p in latents], [np.zeros_like(p) for p in latents]
    best, best_loss = binarise(latents), np.full(len(seeds), np.inf)
    for t in tqdm(range(1, how.steps + 1), desc="training", disable=None):
        params = binarise(latents)
        loss, gradient = loss_and_gradient(x, y, params)
        better = loss < best_loss
        best_loss = np.where(better, loss, best_loss)
        rate = how.rate * 0.5 * (1.0 + np.cos(np.pi * t / how.steps))
        for i, g in enumerate(gradient):
            best[i][better] = params[i][better]
            mean[i] = how.beta1 * mean[i] + (1.0 - how.beta1) * g
            square[i] = how.beta2 * square[i] + (1.0 - how.beta2) * g**2
            step = mean[i] / (1.0 - how.beta1**t) / (np.sqrt(square[i] / (1.0 - how.beta2**t)) + 1e-8)
            latents[i] = latents[i] - rate * step
        latents[0], latents[2] = np.clip(latents[0], -1.0, 1.0), np.clip(latents[2], -1.0, 1.0)
    return best


def accuracy(x: Array, y: Array, params: Sequence[Array]) -> Array:
    """Share of right answers (s,) in percent, for x (n, 13) and one-hot y (n, 3)."""
    right = forward(x, params)[1].argmax(axis=-1) == y.argmax(axis=-1)
    return np.asarray(100.0 * right.mean(axis=-1))


def main(argv: Sequence[str] | None = None) -> None:
    """Train, store and report."""
    parser = argparse.ArgumentParser(description="Train binary 13-6-3 perceptrons on Wine.")
    parser.add_argument("--solutions", type=int, default=20, help="how many to train (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of split and starts (%(default)s)")
    default = Path(__file__).with_name("wine20.npz")
    parser.add_argument("--out", type=Path, default=default, help="file to write (%(default)s)")
    args = parser.parse_args(argv)
    split_seed, *seeds = np.random.SeedSequence(args.seed).spawn(1 + args.solutions)
    data = load_split(split_seed)
    params = train(data["X_train"], data["Y_train"], seeds, Training())
    arrays: dict[str, Any] = dict(zip(KEYS, params, strict=True)) | data
    with args.out.open("wb") as file:  # an open file, as a bare path without .npz would get the ending added
        np.savez_compressed(file, **arrays)  # NumPy dates the members 1980: equal runs, equal bytes
    print(f"{args.out}: {args.solutions} solutions, {args.out.stat().st_size} bytes")
    for part in ("train", "test"):
        a = accuracy(data[f"X_{part}"], data[f"Y_{part}"], params)
        stats = ", ".join(f"{f.__name__} {f(a):.2f}" for f in (np.median, np.mean, np.min, np.max))
        print(f"{part} [%]: {stats}")


if __name__ == "__main__":
    main()
