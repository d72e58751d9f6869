"""Random generators that depend on what they are for, not on the order in which they are asked for."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """Return the generator of one purpose of one night.

    Parameters
    ----------
    seed : int
        Seed of the night, not negative.
    *purpose : object
        What the numbers are for, such as ``"frame", "lmi.0001.fits"``; the same words give the same numbers.
    """
    words = [zlib.crc32(str(part).encode()) for part in purpose]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))
