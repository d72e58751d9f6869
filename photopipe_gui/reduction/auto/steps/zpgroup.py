"""The zero points of a group of frames: from the catalogue, through stars in common, or relative to each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...catalogs.config import CatalogConfig
from ...catalogs.lookup import photometric
from ...catalogs.model import ReferenceCatalog
from ...core.photcal import Floats, ZeroPoint, fit_zero_point, flux_scale, match_sky
from ...core.relphot import StarList, Ties, tie_frames

RADIUS = 3.0  # arcsec, of a match with the catalogue
_FEWEST_ALONE = 8  # matches without a second catalogue star near, above which the others are left out
_FEWEST_ANY = 2
_TIED_LIMIT = 0.1  # mag, largest error of a zero point through stars in common


@dataclass(frozen=True)
class FrameStars:
    """What was measured on one frame.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Stars, deg.
    total, total_error, wide, wide_error : ndarray of float64, shape (n,)
        Instrumental magnitudes of all light, and of that within 2.5 FWHM, with errors.
    growth_error : float
        Error of the correction to all light, mag.
    uniform : bool
        One profile describes all stars of the frame.
    fwhm, radius, wide_radius : float
        Seeing and apertures, px.
    centre : (float, float)
        Of the frame, deg.
    reach : float
        From there to the farthest corner, deg.
    exptime : float
        s; NaN when unknown.
    year : float
        Julian year of the exposure; NaN when unknown.
    found : int
        Sources found.
    component : int
        Frames of one number are aligned to each other.
    """

    ra: Floats
    dec: Floats
    total: Floats
    total_error: Floats
    wide: Floats
    wide_error: Floats
    growth_error: float
    uniform: bool
    fwhm: float
    radius: float
    wide_radius: float
    centre: tuple[float, float]
    reach: float
    exptime: float
    year: float
    found: int
    component: int = 0


@dataclass(frozen=True)
class Calibrated:
    """The zero point of one frame.

    ``how``: ``'catalogue'``, ``'tied'`` (through stars in common), ``'relative'`` (no reference) or ``'none'``.
    ``scale`` is NaN when the frame has none. ``why`` tells in words what is missing.
    """

    how: str
    value: float = math.nan
    error: float = math.nan
    scatter: float = math.nan
    rms: float = math.nan
    stars: int = 0
    matched: int = 0
    scale: float = math.nan
    why: str = ""


@dataclass(frozen=True)
class GroupCalibration:
    """The zero points of a group, and what they rest on."""

    frames: tuple[Calibrated, ...]
    whole: bool = True
    catalogue: str = ""
    band: str = ""
    system: str = ""
    reference: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class GroupJob:
    """A group to calibrate in a worker."""

    frames: tuple[FrameStars, ...]
    catalogs: CatalogConfig
    filter: str
    radius: float
    fewest: int
    clip: float


def calibrate_group(job: GroupJob) -> GroupCalibration:
    """Find the zero points and flux scales of the frames of a group; never raises for want of stars or catalogue."""
    frames = job.frames
    whole = 2 * sum(frame.uniform for frame in frames) > len(frames)
    fields = [(frame.centre, frame.reach) for frame in frames]
    catalogue, band, told = find_reference(job.catalogs, fields, job.filter)
    fits = [_against(frame, catalogue, band, whole, job.radius, job.clip) for frame in frames]
    fewest = job.fewest if any(fit.n >= job.fewest for fit, _ in fits) else _FEWEST_ANY
    fixed = [fit.n >= fewest and math.isfinite(fit.value) for fit, _ in fits]
    ties = _tie(frames, whole, min(1.5, job.radius))
    if any(fixed):
        found = _with_reference(frames, fits, fixed, ties, fewest)
        system = catalogue.systems.get(band, "AB") if catalogue is not None else ""
        name = catalogue.name if catalogue is not None else ""
        return GroupCalibration(tuple(_scaled(found)), whole, name, band, system, told)
    if catalogue is not None:
        most = max((matched for _, matched in fits), default=0)
        told = f"{catalogue.name} has too few of the frames' stars in {band} (at most {most})"
    found = _without_reference(frames, ties)
    return GroupCalibration(tuple(_scaled(found)), whole, reference=told)


def find_reference(
    config: CatalogConfig, fields: Sequence[tuple[tuple[float, float], float]], filter_name: str
) -> tuple[ReferenceCatalog | None, str, str]:
    """Return the reference magnitudes about fields.

    Parameters
    ----------
    config : CatalogConfig
    fields : sequence of ((ra, dec), reach)
        Centre of each frame and distance to its farthest corner, deg.
    filter_name : str

    Returns
    -------
    catalogue, band, reason
        As `catalogs.lookup.photometric`.
    """
    if not fields:
        return None, "", "there are no frames"
    ra = np.array([centre[0] for centre, _ in fields])
    dec = np.array([centre[1] for centre, _ in fields])
    a, d = np.radians(ra), np.radians(dec)
    vector = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)]).mean(axis=1)
    ra0 = float(np.degrees(np.arctan2(vector[1], vector[0])) % 360)
    dec0 = float(np.degrees(np.arctan2(vector[2], np.hypot(vector[0], vector[1]))))
    away = np.hypot(((ra - ra0 + 180) % 360 - 180) * np.cos(np.radians(dec0)), dec - dec0)
    radius = float(np.max(away + [reach for _, reach in fields])) + 0.01
    # Rounded, so that the filters of a target ask for the same cone and find it in the cache.
    ra0, dec0 = round(ra0, 2) % 360, round(dec0, 2)
    return photometric(config, ra0, dec0, math.ceil((radius + 0.01) * 20) / 20, filter_name)


def _against(
    frame: FrameStars, catalogue: ReferenceCatalog | None, band: str, whole: bool, radius: float, clip: float
) -> tuple[ZeroPoint, int]:
    """Fit one frame's zero point against the catalogue; return it with the number of stars matched."""
    none = ZeroPoint(math.nan, math.nan, math.nan, math.nan, np.zeros(0, bool))
    if catalogue is None or not len(frame.ra) or band not in catalogue.magnitudes:
        return none, 0
    ra, dec = catalogue.at_epoch(frame.year)
    magnitude, error = catalogue.magnitudes[band]
    known = np.isfinite(magnitude)
    star, entry, alone = match_sky(frame.ra, frame.dec, ra[known], dec[known], radius)
    if alone.sum() >= _FEWEST_ALONE:
        star, entry = star[alone], entry[alone]
    values = (frame.total, frame.total_error) if whole else (frame.wide, frame.wide_error)
    fit = fit_zero_point(values[0][star], values[1][star], magnitude[known][entry], error[known][entry], clip=clip)
    if whole and math.isfinite(fit.error):
        fit = replace(fit, error=math.hypot(fit.error, frame.growth_error))
    return fit, len(star)


def _list(frame: FrameStars, whole: bool) -> StarList:
    if whole:
        return StarList(frame.ra, frame.dec, frame.total, frame.total_error)
    return StarList(frame.ra, frame.dec, frame.wide, frame.wide_error)


def _tie(frames: Sequence[FrameStars], whole: bool, radius: float) -> Ties:
    """Tie the frames to each other, only those that are aligned to each other."""
    n = len(frames)
    value, error = np.zeros(n), np.full(n, np.nan)
    component, common = np.zeros(n, np.intp), np.zeros(n, np.intp)
    aligned = np.array([frame.component for frame in frames])
    for number in np.unique(aligned):
        members = np.flatnonzero(aligned == number)
        part = tie_frames([_list(frames[int(k)], whole) for k in members], radius)
        value[members], error[members], common[members] = part.value, part.error, part.common
        component[members] = part.component + component.max() + 1
    return Ties(value, error, component, common)


def _with_reference(
    frames: Sequence[FrameStars], fits: Sequence[tuple[ZeroPoint, int]], fixed: Sequence[bool], ties: Ties, fewest: int
) -> list[Calibrated]:
    """Take the catalogue's word where it has one; tie the other frames to those."""
    found: list[Calibrated] = []
    for k, (fit, matched) in enumerate(fits):
        if fixed[k]:
            found.append(Calibrated("catalogue", fit.value, fit.error, fit.scatter, fit.rms, fit.n, matched))
            continue
        anchors = [j for j in range(len(frames)) if fixed[j] and ties.component[j] == ties.component[k]]
        why = f"{fit.n} of its {len(frames[k].ra)} stars have a usable catalogue magnitude, {fewest} are needed"
        if anchors:
            weights = np.array([1.0 / max(fits[j][0].error, 1e-3) ** 2 for j in anchors])
            offsets = np.array([fits[j][0].value - ties.value[j] for j in anchors])
            value = float(ties.value[k] + np.average(offsets, weights=weights))
            error = math.hypot(float(ties.error[k]), 1.0 / math.sqrt(weights.sum()))
            if error <= _TIED_LIMIT:
                found.append(Calibrated("tied", value, error, stars=int(ties.common[k]), matched=matched, why=why))
                continue
        found.append(Calibrated("none", matched=matched, why=f"{why}, and it shares too few stars with the others"))
    return found


def _without_reference(frames: Sequence[FrameStars], ties: Ties) -> list[Calibrated]:
    """Bring the frames to a common scale among themselves.

    Frames without common stars are compared by exposure time alone, as if the sky were as clear for each.
    """
    exposures = np.array([frame.exptime for frame in frames])
    expected = np.where(np.isfinite(exposures) & (exposures > 0), 2.5 * np.log10(np.maximum(exposures, 1e-6)), 0.0)
    found: list[Calibrated] = []
    values = np.zeros(len(frames))
    for component in np.unique(ties.component):
        members = ties.component == component
        offset = float(np.median(expected[members] - ties.value[members]))
        values[members] = ties.value[members] + offset
    for k in range(len(frames)):
        alone = int((ties.component == ties.component[k]).sum()) == 1
        why = "it shares too few stars with the others: scaled by exposure time" if alone and len(frames) > 1 else ""
        error = 0.0 if alone else float(ties.error[k])
        found.append(Calibrated("relative", float(values[k]), error, stars=int(ties.common[k]), why=why))
    return found


def _scaled(found: Sequence[Calibrated]) -> list[Calibrated]:
    """Add the flux scales that bring all frames to the median zero point."""
    values = [frame.value for frame in found if math.isfinite(frame.value)]
    if not values:
        return list(found)
    common = float(np.median(values))
    return [replace(frame, scale=flux_scale(frame.value, common)) if math.isfinite(frame.value) else frame
            for frame in found]
