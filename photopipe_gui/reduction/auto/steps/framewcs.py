"""The WCS of a product, as its header has it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from ....errors import FrameError


def frame_wcs(header: fits.Header, path: Path) -> WCS:
    """Return the WCS of a frame.

    Parameters
    ----------
    header : astropy.io.fits.Header
    path : Path
        For the message.

    Raises
    ------
    FrameError
        When there is none that leads from pixels to the sky.
    """
    bare = header.copy()
    for keyword in ("HISTORY", "COMMENT"):
        bare.remove(keyword, ignore_missing=True, remove_all=True)
    if "PV1_1" in bare and str(bare.get("CTYPE1", "")).strip() == "RA---TAN":
        bare["CTYPE1"], bare["CTYPE2"] = "RA---TPV", "DEC--TPV"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(bare, naxis=2, relax=True)
            position = np.array(wcs.all_pix2world([1.0, 100.0], [1.0, 100.0], 0))
    except Exception as error:
        raise FrameError(path, f"its WCS cannot be used ({error})", "Run the astrometry step on it again.") from error
    if not (wcs.has_celestial and np.isfinite(position).all()):
        raise FrameError(path, "its header has no WCS", "Run the astrometry step on it.")
    return wcs
