"""Where a frame really points: the commanded WCS of its header, spoiled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instruments.cards import Area, Card
from ..instruments.model import Camera, Cards, Channel, Instrument


@dataclass(frozen=True)
class PointingError:
    """By how much a frame's true WCS differs from the one that its header predicts.

    Attributes
    ----------
    east, north : float
        arcsec of arc.
    rotation : float
        deg, of the detector on the sky.
    scale : float
        Relative.
    mirrored : bool
        The true image is mirrored in x against the header.
    """

    east: float = 0.0
    north: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    mirrored: bool = False


def true_wcs_cards(
    instrument: Instrument,
    camera: Camera,
    raw: Cards,
    shape: tuple[int, int],
    error: PointingError,
    radial: float = 0.0,
) -> dict[str, Card]:
    """Return the true WCS of a raw frame, in pixels of the whole raw image.

    Parameters
    ----------
    raw : mapping
        Raw header cards; the instrument's own first guess is where the error starts from.
    radial : float
        Cubic distortion of cameras whose header has none: ``xi' = xi (1 + k r^2)``, k in deg^-2.
    """
    whole = Area(0, shape[0], 0, shape[1])
    cards = dict(instrument.rules.wcs(raw, camera, Channel("", whole), whole))
    cosine = math.cos(math.radians(float(cards["CRVAL2"])))
    cards["CRVAL1"] = (float(cards["CRVAL1"]) + error.east / 3600 / cosine) % 360
    cards["CRVAL2"] = float(cards["CRVAL2"]) + error.north / 3600
    matrix = np.array([[cards["CD1_1"], cards["CD1_2"]], [cards["CD2_1"], cards["CD2_2"]]], dtype=float)
    turn = math.radians(error.rotation)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ matrix
    matrix *= 1 + error.scale
    if error.mirrored:
        matrix[:, 0] *= -1
    for row in (1, 2):
        for column in (1, 2):
            cards[f"CD{row}_{column}"] = float(matrix[row - 1, column - 1])
    if radial and not str(cards["CTYPE1"]).endswith("TPV"):
        cards["CTYPE1"], cards["CTYPE2"] = "RA---TPV", "DEC--TPV"
        for axis in (1, 2):
            cards.update({f"PV{axis}_1": 1.0, f"PV{axis}_7": radial, f"PV{axis}_9": radial})
    return cards


def wcs_from_cards(cards: Mapping[str, Any], area: Area | None = None) -> Any:
    """Return an astropy WCS of true WCS cards, in pixels of an area cut out of the raw image."""
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.Header()
    for key, value in cards.items():
        header[key] = value
    if area is not None:
        header["CRPIX1"] -= area.x0
        header["CRPIX2"] -= area.y0
    return WCS(header)


def pixels_of(
    cards: Mapping[str, Any], ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return 0-based pixels of positions (deg) under true WCS cards.

    The distortion (TPV with odd radial terms on both axes, which is all that the simulator uses) is inverted by
    Newton steps along the radius. NaN for positions so far off that the distortion has no inverse.
    """
    from astropy.wcs import WCS

    plain = WCS(naxis=2)
    plain.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plain.wcs.crval = [cards["CRVAL1"], cards["CRVAL2"]]
    plain.wcs.crpix = [0.0, 0.0]
    plain.wcs.cd = np.identity(2)
    xi, eta = plain.wcs_world2pix(np.asarray(ra), np.asarray(dec), 0)
    xi, eta = xi + 1, eta + 1
    squared = xi**2 + eta**2
    shrink = np.ones_like(xi)
    cubic, fifth, seventh = (float(cards.get(f"PV1_{term}", 0.0)) for term in (7, 17, 31))
    for _ in range(12):
        u = squared * shrink**2
        value = shrink * (1 + cubic * u + fifth * u**2 + seventh * u**3) - 1
        slope = 1 + 3 * cubic * u + 5 * fifth * u**2 + 7 * seventh * u**3
        shrink = np.clip(shrink - value / np.where(np.abs(slope) > 0.2, slope, 0.2), 0.5, 2.0)
    shrink[np.abs(value) > 1e-8] = np.nan
    matrix = np.array([[cards["CD1_1"], cards["CD1_2"]], [cards["CD2_1"], cards["CD2_2"]]], dtype=float)
    x, y = np.linalg.inv(matrix) @ np.vstack([xi * shrink, eta * shrink])
    return x + float(cards["CRPIX1"]) - 1, y + float(cards["CRPIX2"]) - 1


def draw_error(
    rng: np.random.Generator, jitter: float, limit: float, common: tuple[float, float]
) -> tuple[float, float]:
    """Draw a pointing error (east, north, arcsec): common to the night plus jitter, redrawn while beyond the limit."""
    for _ in range(100):
        east, north = common[0] + rng.normal(0, jitter), common[1] + rng.normal(0, jitter)
        if math.hypot(east, north) <= limit:
            return float(east), float(north)
    return common
