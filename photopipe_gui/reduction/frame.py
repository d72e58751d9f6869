"""A frame between two steps: image, mask, header."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.io import fits

FloatImage = NDArray[np.float32]
MaskImage = NDArray[np.uint8]


class Mask(IntFlag):
    """Bits of the ``MASK`` extension; 0 is a good pixel."""

    BAD = 1  #: hot, dead, or flat below its limit
    SATURATED = 2  #: at or above the saturation level, or bled into
    COSMIC = 4  #: hit by a cosmic ray
    NODATA = 8  #: no measurement at all (NaN in the image)


@dataclass(slots=True)
class Frame:
    """An image on its way through the reduction.

    Attributes
    ----------
    image : ndarray of float32, shape (ny, nx)
        DN; NaN where there is no measurement.
    mask : ndarray of uint8, shape (ny, nx)
        Bits of `Mask`.
    header : astropy.io.fits.Header
        Standard cards of the frame.
    """

    image: FloatImage
    mask: MaskImage
    header: fits.Header
