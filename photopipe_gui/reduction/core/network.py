"""Selection of order statistics over a stack of images by a network of minima and maxima.

A sorting network compares whole images instead of single values, so that every step is one call of ``numpy.minimum``
or ``numpy.maximum`` over a strip that stays in the processor's cache. Steps that do not lead to a wanted order
statistic are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Comparator(NamedTuple):
    """Put the smaller of two wires on the first and the larger on the second, or only the one that is wanted."""

    first: int
    second: int
    wants_smaller: bool
    wants_larger: bool


def _odd_even_merge_sort(n: int) -> list[tuple[int, int]]:
    """Return the comparators of Batcher's odd-even merge sort for `n` values (Batcher 1968, AFIPS 32, 307)."""
    pairs = []
    span = 1
    while span < n:
        step = span
        while step >= 1:
            for start in range(step % span, n - step, 2 * step):
                for i in range(start, start + min(step, n - start - step)):
                    if i // (2 * span) == (i + step) // (2 * span):
                        pairs.append((i, i + step))
            step //= 2
        span *= 2
    return pairs


@lru_cache(maxsize=64)
def selection_network(n: int, ranks: tuple[int, ...]) -> tuple[Comparator, ...]:
    """Return the comparators that bring the order statistics `ranks` of `n` values to their places.

    Parameters
    ----------
    n : int
        Number of values.
    ranks : tuple of int
        Zero-based ranks that are wanted; all other places are left undefined.

    Returns
    -------
    tuple of Comparator
        To be run in order.
    """
    if not all(0 <= rank < n for rank in ranks):
        raise ValueError(f"ranks {ranks} do not all lie in 0..{n - 1}")
    wanted = set(ranks)
    network = []
    for first, second in reversed(_odd_even_merge_sort(n)):
        if first in wanted or second in wanted:
            network.append(Comparator(first, second, first in wanted, second in wanted))
            wanted.update((first, second))
    return tuple(reversed(network))


class Buffers:
    """A store of equal arrays, handed out as views of the length in use."""

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        self._size = size
        self._dtype = dtype
        self._free: list[NDArray[Any]] = []

    def take(self) -> NDArray[Any]:
        """Return an array of the full size with undefined content."""
        return self._free.pop() if self._free else np.empty(self._size, self._dtype)

    def give(self, array: NDArray[Any]) -> None:
        """Take an array back."""
        self._free.append(array)


def select(planes: Sequence[NDArray[Any]], ranks: Sequence[int], buffers: Buffers) -> list[NDArray[Any]]:
    """Return order statistics, pixel by pixel, over a stack.

    Parameters
    ----------
    planes : sequence of ndarray, shape (size,)
        The stack, all of one type, at most as long as the buffers; not changed. No NaN: a NaN spoils its pixel.
    ranks : sequence of int
        Zero-based ranks wanted.
    buffers : Buffers
        Working arrays of the type of the planes; all are back in it when the call returns, so the result must be used
        before the next call.

    Returns
    -------
    list of ndarray, shape (size,)
        One array per rank; do not write to them, they can be views of `planes`.
    """
    size = planes[0].size
    wires = list(planes)
    owner: list[NDArray[Any] | None] = [None] * len(wires)
    for first, second, wants_smaller, wants_larger in selection_network(len(wires), tuple(sorted(set(ranks)))):
        a, b = wires[first], wires[second]
        old = owner[first], owner[second]
        if wants_smaller and wants_larger:
            smaller = buffers.take()
            larger = old[1] if old[1] is not None else buffers.take()
            wires[first] = np.minimum(a, b, out=smaller[:size])
            wires[second] = np.maximum(a, b, out=larger[:size])
            owner[first], owner[second] = smaller, larger
            _give_back(buffers, old[0])
            continue
        kept, lost = (first, second) if wants_smaller else (second, first)
        function = np.minimum if wants_smaller else np.maximum
        target = owner[kept]
        if target is None:
            target = owner[kept] = buffers.take()
        wires[kept] = function(a, b, out=target[:size])
        _give_back(buffers, owner[lost])
        owner[lost] = None
    for array in owner:
        _give_back(buffers, array)
    return [wires[rank] for rank in ranks]


def _give_back(buffers: Buffers, array: NDArray[Any] | None) -> None:
    if array is not None:
        buffers.give(array)
