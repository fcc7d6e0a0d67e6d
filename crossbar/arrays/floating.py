"""Inputs of a batch by the nodes that no terminal reaches: what an input is like depends on no other.

Which cells of a 1T1R array conduct depends on the gates, which differ from input to input, and with them which pieces of line are
isolated. Only where some piece has no terminal of its own must that be asked; inputs with the same isolated nodes are solved
together.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from crossbar.arrays.drives import pieces
from crossbar.elements.base import Array, IntArray, Mask
from crossbar.elements.xbar import every_piece_is_held, isolated_nodes

_TOGETHER = 2 ** 22  # inputs x cells asked at once

Isolated = tuple[Mask, Mask] | None  # nodes (M, N) of the first and second plane; None: there is none


def by_isolation(first: Array, second: Array, inputs: IntArray, conducting: Callable[[IntArray], Mask], cells: int, *,
                 alongside: bool) -> list[tuple[IntArray, Isolated]]:
    """Inputs that have the same isolated nodes, and these nodes.

    first, second, alongside : lines as of `isolated_nodes`. conducting : which cells (b, M, N) conduct for some of the inputs.
    """
    if every_piece_is_held(first, second):
        return [(inputs, None)]
    isolated: dict[bytes, Isolated] = {}  # by the cells that conduct
    groups: dict[bytes, tuple[list[int], Isolated]] = {}  # by the nodes
    for some in pieces(inputs, max(1, _TOGETHER // cells)):
        masks = conducting(some)
        keys = np.packbits(masks.reshape(len(some), -1), axis=1)
        for k, mask, key in zip(some.tolist(), masks, map(bytes, keys), strict=True):
            if key not in isolated:
                isolated[key] = isolated_nodes(first, second, partial(np.asarray, mask), alongside=alongside)
            lost = isolated[key]
            pattern = b"" if lost is None else np.packbits(lost).tobytes()
            groups.setdefault(pattern, ([], lost))[0].append(k)
    return [(np.array(members), lost) for members, lost in groups.values()]
