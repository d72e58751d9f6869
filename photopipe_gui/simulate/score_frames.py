"""Comparing reduced frames with the truth: positions, zero points, cosmic rays."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instruments import registry
from ..reduction.fitsio import read_frame, read_header
from ..reduction.frame import Mask
from .pointing import pixels_of, wcs_from_cards
from .score_coadd import aperture_term
from .truth import ChannelTruth, FrameTruth, Truth

_GRID = 12


@dataclass(frozen=True)
class AstrometryScore:
    """How far a frame's WCS is from the true one, over a grid of its pixels.

    ``median``, ``worst`` in px; ``stated`` is what the header claims (rms of ASTRRMS1 and ASTRRMS2, px; NaN when it
    claims nothing); ``catalogue`` the header's ASTRCAT, empty when the frame was aligned without one.
    """

    frame: str
    filter: str
    median: float
    worst: float
    stated: float
    catalogue: str
    matched: int


@dataclass(frozen=True)
class ZeroPointScore:
    """A frame's zero point.

    ``measured`` is ABSZPT, ``true`` the magnitude of one DN of total flux, ``stated`` the error in the header,
    ``definition`` the header's APERDEF and ``aperture_term`` what the light outside of its aperture makes (mag; 0 when
    the header's zero point is that of all light).
    """

    frame: str
    filter: str
    measured: float
    true: float
    stated: float
    definition: str = "total"
    aperture_term: float = 0.0

    @property
    def error(self) -> float:
        """Measured minus true as the header defines it, mag."""
        return self.measured - self.aperture_term - self.true


@dataclass(frozen=True)
class CosmicScore:
    """What was found of a frame's cosmic rays.

    Attributes
    ----------
    hits, found : int
        Hits whose brightest pixel is above 10 sigma of an empty pixel (saturated and bad pixels left out), and how
        many of them have that pixel in the mask.
    pixels, pixels_found : int
        The same for all their pixels above 10 sigma.
    false_pixels : int
        Masked pixels with no charge of a cosmic ray within one pixel and no satellite's trail.
    star_pixels, star_pixels_touched : int
        Pixels within half a FWHM of stars of more than 20 sigma at their peak, and those of them falsely masked.
    total : int
        Pixels of the frame.
    """

    frame: str
    filter: str
    hits: int
    found: int
    pixels: int
    pixels_found: int
    false_pixels: int
    star_pixels: int
    star_pixels_touched: int
    total: int

    @property
    def completeness(self) -> float:
        """Share of hits found; NaN without hits."""
        return self.found / self.hits if self.hits else math.nan

    @property
    def stars_touched(self) -> float:
        """Share of star pixels falsely masked; NaN without stars."""
        return self.star_pixels_touched / self.star_pixels if self.star_pixels else math.nan


def product_wcs(path: Path) -> Any:
    """Return the astropy WCS of a product."""
    from astropy.wcs import WCS, FITSFixedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(read_header(path))


def _channel_of(frame: FrameTruth, filter_name: str) -> ChannelTruth:
    return frame.channel(filter_name) if len(frame.channels) > 1 else frame.channels[0]


def _scale(truth: Truth, camera: int) -> float:
    return registry.get(truth.instrument).camera(camera).scale * (2 if truth.instrument == "lmi" else 1)


def score_astrometry(path: Path | str, truth: Truth) -> AstrometryScore:
    """Compare the WCS of a product with the true one.

    Raises
    ------
    KeyError
        When the product is of no frame of the night.
    """
    path = Path(path)
    header = read_header(path)
    frame = truth.frame(path.name)
    channel = _channel_of(frame, str(header.get("FILTER", "")))
    ny, nx = channel.area.shape
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, nx - 1, _GRID), np.linspace(0, ny - 1, _GRID)))
    ra, dec = wcs_from_cards(frame.wcs, channel.area).all_pix2world(x, y, 0)
    found_ra, found_dec = product_wcs(path).all_pix2world(x, y, 0)
    east = ((found_ra - ra + 180) % 360 - 180) * np.cos(np.radians(dec))
    scale = _scale(truth, frame.camera)
    error = np.hypot(east, found_dec - dec) * 3600 / scale
    stated = math.hypot(_number(header, "ASTRRMS1"), _number(header, "ASTRRMS2")) / math.sqrt(2) * 3600 / scale
    matched = int(_number(header, "ASTRNMAT", 0))
    return AstrometryScore(path.name, channel.filter, float(np.median(error)), float(error.max()), stated,
                           str(header.get("ASTRCAT", "")), matched)  # fmt: skip


def _number(header: Any, key: str, default: float = math.nan) -> float:
    try:
        return float(header[key])
    except (KeyError, TypeError, ValueError):
        return default


def score_zero_point(path: Path | str, truth: Truth) -> ZeroPointScore:
    """Compare a product's ABSZPT with the true magnitude of one DN."""
    path = Path(path)
    header = read_header(path)
    channel = _channel_of(truth.frame(path.name), str(header.get("FILTER", "")))
    stated = _number(header, "ABSZPERR", _number(header, "ZPTERR"))
    term = aperture_term(header, channel.fwhm, float(truth.options.get("beta", 3.2)))
    definition = str(header.get("APERDEF", "total"))
    measured = _number(header, "ABSZPT")
    return ZeroPointScore(path.name, channel.filter, measured, channel.zero_point, stated, definition, term)


def _star_cores(frame: FrameTruth, channel: ChannelTruth, truth: Truth) -> NDArray[np.bool_]:
    """Pixels within half a FWHM of bright stars."""
    stars = truth.stars()
    x, y = pixels_of(frame.wcs, np.asarray(stars["ra_now"]), np.asarray(stars["dec_now"]))
    flux = 10 ** (-0.4 * (np.asarray(stars[channel.band]) - channel.zero_point))
    bright = (flux * 0.4 / channel.fwhm**2 > 20 * channel.noise) & (np.asarray(stars["size"]) == 0)
    y0, y1, x0, x1 = channel.area
    cores = np.zeros(channel.area.shape, dtype=bool)
    reach = channel.fwhm / 2
    for cx, cy in zip((x - x0)[bright], (y - y0)[bright], strict=True):
        if -reach < cx < x1 - x0 + reach and -reach < cy < y1 - y0 + reach:
            a, b = max(int(cy - reach), 0), max(int(cx - reach), 0)
            part = cores[a : int(cy + reach) + 2, b : int(cx + reach) + 2]
            rows, columns = np.ogrid[a : a + part.shape[0], b : b + part.shape[1]]
            part |= np.hypot(rows - cy, columns - cx) <= reach
    return cores


def score_cosmics(path: Path | str, truth: Truth, threshold: float = 10.0) -> CosmicScore:
    """Compare the COSMIC bits of a product (``z`` and later) with the cosmic rays that were put in."""
    from scipy.ndimage import binary_dilation

    path = Path(path)
    product = read_frame(path)
    frame = truth.frame(path.name)
    channel = _channel_of(frame, str(product.header.get("FILTER", "")))
    y0, y1, x0, x1 = channel.area
    hits = truth.cosmic_rays(frame)
    rows, columns = hits["rows"] - y0, hits["columns"] - x0
    on = (rows >= 0) & (rows < y1 - y0) & (columns >= 0) & (columns < x1 - x0)
    rows, columns, electrons, number = rows[on], columns[on], hits["electrons"][on], hits["hit"][on]
    gain = _number(product.header, "GAIN", 1.0)
    strength = electrons / gain / channel.noise
    unusable = (product.mask[rows, columns] & (Mask.SATURATED | Mask.BAD | Mask.NODATA)) != 0
    strong = (strength > threshold) & ~unusable
    cosmic = (product.mask & Mask.COSMIC) != 0
    caught = cosmic[rows, columns]
    brightest: dict[int, int] = {}
    for n in np.flatnonzero(strong).tolist():
        hit = int(number[n])
        if hit not in brightest or strength[n] > strength[brightest[hit]]:
            brightest[hit] = n
    explained = np.zeros(cosmic.shape, dtype=bool)
    explained[rows, columns] = True
    trail_rows, trail_columns = hits["trail_rows"] - y0, hits["trail_columns"] - x0
    on = (trail_rows >= 0) & (trail_rows < y1 - y0) & (trail_columns >= 0) & (trail_columns < x1 - x0)
    explained[trail_rows[on], trail_columns[on]] = True
    explained = binary_dilation(explained, np.ones((3, 3), bool))
    bad = (product.mask & (Mask.BAD | Mask.SATURATED | Mask.NODATA)) != 0
    false = cosmic & ~explained & ~bad
    cores = _star_cores(frame, channel, truth) & ~explained & ~bad
    return CosmicScore(
        path.name, channel.filter, len(brightest), int(caught[list(brightest.values())].sum()),
        int(strong.sum()), int((strong & caught).sum()), int(false.sum()), int(cores.sum()),
        int((false & cores).sum()), cosmic.size,
    )  # fmt: skip
