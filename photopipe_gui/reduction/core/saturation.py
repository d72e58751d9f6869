"""Saturated pixels and the charge that bleeds from them along the columns of a CCD."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolImage = NDArray[np.bool_]

_BLEEDING_RUN = 5


def grow(flags: BoolImage, rows: int = 1, columns: int = 1) -> BoolImage:
    """Return flags grown by so many pixels up and down, and left and right (a rectangle about each)."""
    out = flags.copy()
    for axis, reach in ((0, rows), (1, columns)):
        done = 0
        while done < reach:
            # Doubling steps: a reach of 20 px costs five passes.
            step = min(reach - done, max(1, done + 1))
            source = out.copy()
            ahead = [slice(None), slice(None)]
            behind = [slice(None), slice(None)]
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step or None)
            out[tuple(ahead)] |= source[tuple(behind)]
            out[tuple(behind)] |= source[tuple(ahead)]
            done += step
    return out


def saturated_with_bleed(image: NDArray[Any], level: float, bleed: int) -> BoolImage:
    """Return the pixels at or above a level, grown by one pixel, and the ends of bleeding columns.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        As read from the detector.
    level : float
        Saturation level in the image's unit.
    bleed : int
        Pixels by which a run of at least five saturated pixels of a column is lengthened at both ends: the charge of a
        trail ends below the level. 0 for detectors that do not bleed.
    """
    rows, columns = np.nonzero(image >= level)
    out = np.zeros(image.shape, np.bool_)
    if not len(rows):
        return out
    y0, y1 = max(int(rows.min()) - bleed - 2, 0), int(rows.max()) + bleed + 3
    x0, x1 = max(int(columns.min()) - 2, 0), int(columns.max()) + 3
    part = image[y0:y1, x0:x1] >= level
    grown = grow(part)
    if bleed:
        run = np.zeros_like(part)
        core = part.copy()
        for shift in range(1, _BLEEDING_RUN):
            core[:-shift] &= part[shift:]
            core[-shift:] = False
        for shift in range(_BLEEDING_RUN):
            run[shift:] |= core[: len(core) - shift]
        grown |= grow(run, rows=bleed + 1, columns=1)
    out[y0:y1, x0:x1] = grown
    return out
