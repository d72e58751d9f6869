"""Order statistics over a stack, by the way that is faster here: a network of minima and maxima, or sorting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .network import Buffers, select, selection_network

_SORTED_BYTES = 1 << 20  # of the transposed piece that is sorted at a time: it stays in the cache
_NETWORK_NS = 0.04  # per comparison, pixel and byte of its type
_REST_NS = (4.0, 0.5)  # per pixel, and per pixel, frame and byte, of all that is done to a strip beside the selection
_TIMED_PIXELS = 1024


class OrderStatistics:
    """Finds order statistics over stacks of one number of images, pixel by pixel.

    Parameters
    ----------
    n : int
        Images of a stack.
    ranks : sequence of int
        Zero-based ranks wanted.
    size : int
        Most pixels of a stack.
    dtype : numpy.dtype
        Type of the stacks.
    by_sorting : bool
        Sort instead of running a network. Sorting is one long call, during which other threads can work; a network is
        many short ones, between which threads wait for the interpreter.
    """

    def __init__(self, n: int, ranks: Sequence[int], size: int, dtype: np.dtype[Any], by_sorting: bool) -> None:
        self._ranks = tuple(ranks)
        self._buffers = None if by_sorting else Buffers(size, dtype)
        rows = min(max(_SORTED_BYTES // (n * dtype.itemsize), 1), size)
        self._piece = np.empty((rows, n) if by_sorting else (0, n), dtype)

    def find(self, stack: NDArray[Any], out: Sequence[NDArray[np.float32]]) -> None:
        """Write the order statistics of a stack, shape (n, pixels), without NaN, into one array per rank."""
        if self._buffers is not None:
            for plane, found in zip(out, select(list(stack), self._ranks, self._buffers), strict=True):
                plane[...] = found
            return
        for start in range(0, stack.shape[1], len(self._piece)):
            part = stack[:, start : start + len(self._piece)]
            piece = self._piece[: part.shape[1]]
            piece[...] = part.T
            piece.sort(axis=1)
            for plane, rank in zip(out, self._ranks, strict=True):
                plane[start : start + len(piece)] = piece[:, rank]


@lru_cache(maxsize=256)
def _sorting_ns(n: int, dtype: str) -> float:
    """Return the time per pixel of sorting `n` values, measured once: vector instructions make it five times less."""
    values = np.random.default_rng(n).integers(0, 60000, (_TIMED_PIXELS, n)).astype(dtype)
    taken = []
    for _ in range(3):
        again = values.copy()
        begun = time.perf_counter_ns()
        again.sort(axis=1)
        taken.append(time.perf_counter_ns() - begun)
    return min(taken) / _TIMED_PIXELS


def choose(n: int, ranks: Sequence[int], dtype: np.dtype[Any], threads: int) -> tuple[bool, int]:
    """Return whether to sort, and how many threads to use: a network runs fastest in a single one."""
    steps = selection_network(n, tuple(sorted(set(ranks))))
    network = _NETWORK_NS * dtype.itemsize * sum(step.wants_smaller + step.wants_larger for step in steps)
    rest = _REST_NS[0] + _REST_NS[1] * n * dtype.itemsize
    sorting = (_sorting_ns(n, dtype.str) + rest) / threads
    return (True, threads) if sorting < network + rest else (False, 1)
