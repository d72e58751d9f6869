"""zpoint: the zero point of every frame, and the factor that brings it to the group's."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FrameError
from ...core.grid import to_sky
from ...core.starphot import measure_stars
from ...fitsio import read_frame, write_frame
from ...frame import Mask
from ...params import option
from ..tasks import Context, Failure, FrameTask, GroupResult, GroupTask, StepResult, finish_header
from .framecards import field_of, fitting, frame_wcs, julian_year, number
from .zpgroup import Calibrated, FrameStars, GroupCalibration, GroupJob, calibrate_group

NO_ZERO_POINT, BAD_SCALE = "badzptfit", "badflxsc"


@dataclass(frozen=True)
class ZpointParams:
    """Options of zpoint."""

    radius: float = option(3.0, "Largest distance of a star from its catalogue entry", unit="arcsec", low=0.2, high=30)
    fewest: int = option(3, "Fewest stars for a zero point of a frame's own", low=1, high=100)
    clip: float = option(3.0, "Stars further off than this are left out", unit="robust scatters", low=1.0, high=10.0)
    aperture: float = option(1.5, "Radius of the aperture", unit="FWHM", low=0.5, high=5.0, advanced=True)
    smallest_scale: float = option(0.1, "Frames with a smaller flux scale, exposure time allowed for, drop out",
                                   low=0.0, high=1.0)


@dataclass(frozen=True)
class _MeasureJob:
    source: Path
    aperture: float


@dataclass(frozen=True)
class _WriteJob:
    task: FrameTask
    target: Path
    cards: tuple[tuple[str, Any, str], ...]
    history: str


def run_group(group: GroupTask, params: ZpointParams, context: Context) -> GroupResult:
    """Find the zero points of the frames of one target and filter; write the frames with them in their headers."""
    results: dict[str, StepResult | FrameError] = {}
    measured: list[tuple[FrameTask, FrameStars]] = []
    jobs = [_MeasureJob(task.source, params.aperture) for task in group.frames]
    answers = context.map(measure_frame, jobs, f"zpoint {group.key}: measure")
    for task, answer in zip(group.frames, answers, strict=True):
        if isinstance(answer, Failure):
            results[task.frame] = as_frame_error(answer, task.source)
        else:
            measured.append((task, answer))
    if not measured:
        return GroupResult(results)
    job = GroupJob(tuple(stars for _, stars in measured), context.catalogs, group.filter, params.radius,
                   params.fewest, params.clip)
    (found,) = context.map(calibrate_group, [job], f"zpoint {group.key}: fit")
    if isinstance(found, Failure):
        return GroupResult({**results, **{task.frame: as_frame_error(found, task.source) for task, _ in measured}})
    writes = [_decide(task, stars, frame, found, measured, params)
              for (task, stars), frame in zip(measured, found.frames, strict=True)]
    written = context.map(_write, [write for write, _ in writes], f"zpoint {group.key}: write")
    for (write, result), answer in zip(writes, written, strict=True):
        task = write.task
        results[task.frame] = as_frame_error(answer, task.source) if isinstance(answer, Failure) else result
    return GroupResult(results, measurements=_summary(found))


def as_frame_error(failure: Failure, source: Path) -> FrameError:
    """Return what a worker raised as the error of its frame."""
    if isinstance(failure.error, FrameError):
        return failure.error
    return FrameError(source, f"{type(failure.error).__name__}: {failure.error}", "See the log.")


def measure_frame(job: _MeasureJob) -> FrameStars:
    """Measure the stars of one frame.

    Raises
    ------
    FrameError
        When it cannot be read or has no usable WCS.
    """
    frame = read_frame(job.source)
    wcs = frame_wcs(frame.header, job.source)
    mask = frame.mask
    stars = measure_stars(
        frame.image,
        (mask & (Mask.BAD | Mask.NODATA)) != 0,
        (mask & Mask.SATURATED) != 0,
        (mask & Mask.COSMIC) != 0,
        gain=number(frame.header, "GAIN"),
        aperture=job.aperture,
    )
    ra, dec = to_sky(wcs, stars.x, stars.y)
    centre, reach = field_of(wcs, frame.image.shape)
    return FrameStars(
        ra, dec, stars.magnitude, stars.error, stars.wide_magnitude, stars.wide_error, stars.growth.error,
        stars.growth.uniform, stars.fwhm, stars.radius, stars.wide_radius, centre, reach,
        number(frame.header, "EXPTIME"), julian_year(str(frame.header.get("DATE-OBS", ""))),
        stars.found, int(number(frame.header, "ASTRGRP", 0.0)),
    )


def _decide(
    task: FrameTask,
    stars: FrameStars,
    frame: Calibrated,
    group: GroupCalibration,
    members: list[tuple[FrameTask, FrameStars]],
    params: ZpointParams,
) -> tuple[_WriteJob, StepResult]:
    """Say what becomes of one frame: where it is written, its cards, its outcome."""
    cards = _cards(stars, frame, group)
    facts = {key: value for key, value, _ in cards if not isinstance(value, bool)}
    if frame.how == "none":
        target = task.target.parent / NO_ZERO_POINT / task.target.name
        reason = f"no zero point: {frame.why}"
        return _WriteJob(task, target, cards, reason), StepResult(facts, target, dropped=reason)
    exposures = [other.exptime for _, other in members if other.exptime > 0]
    longer = stars.exptime / float(np.median(exposures)) if exposures and stars.exptime > 0 else 1.0
    if frame.scale * longer < params.smallest_scale:
        target = task.target.parent / BAD_SCALE / task.target.name
        reason = f"flux scale {frame.scale:.3f}, below {params.smallest_scale:g}: its zero point is far off the others"
        return _WriteJob(task, target, cards, reason), StepResult(facts, target, dropped=reason)
    note, history = _in_words(frame, group)
    return _WriteJob(task, task.target, cards, history), StepResult(facts, task.target, reason=note)


def _in_words(frame: Calibrated, group: GroupCalibration) -> tuple[str, str]:
    """Return the note for the report (empty when all is as it should be) and the HISTORY text."""
    if frame.how == "catalogue":
        return "", f"zero point {frame.value:.4f} from {frame.stars} stars of {group.reference}"
    if frame.how == "tied":
        note = f"zero point through {frame.stars} stars in common with other frames: {frame.why}"
        return note, note
    note = f"no reference: {group.reference}; flux scale relative to the other frames"
    return (f"{note}; {frame.why}" if frame.why else note), f"no reference; relative flux scale {frame.scale:.4f}"


def _cards(stars: FrameStars, frame: Calibrated, group: GroupCalibration) -> tuple[tuple[str, Any, str], ...]:
    """Return the cards of a frame; nothing that is not known."""
    cards: list[tuple[str, Any, str]] = []
    if math.isfinite(stars.fwhm):
        cards.append(("SEEPIX", round(stars.fwhm, 3), "FWHM of the stars, px"))
    if frame.how in ("catalogue", "tied"):
        cards.append(("ABSZPT", round(frame.value, 5), f"zero point, {group.system} mag of 1 DN"))
        cards.append(("ABSZPERR", round(frame.error, 5), "its standard deviation, mag"))
        for key, value, comment in (
            ("ABSZPTSC", frame.scatter, "1.48 x median absolute deviation of the stars"),
            ("ABSZPRMS", frame.rms, "rms deviation of the stars"),
        ):
            if math.isfinite(value):
                cards.append((key, round(value, 5), comment))
        cards.append(("ABSZPN", frame.stars, "stars used"))
        cards.append(("ABSZPCAT", group.catalogue[:60] or "unnamed", "reference magnitudes"))
        cards.append(("ABSZPSYS", group.system or "AB", "magnitude system"))
        cards.append(("ABSZPBND", group.band, "band of the catalogue"))
    if frame.how != "none":
        cards.append(("NEWFLXSC", round(frame.scale, 7), "flux scale to the group's median zero point"))
        cards.append(("FLXSCHOW", frame.how, "catalogue, tied by common stars, or relative"))
    cards.extend(aperture_cards(stars, group.whole))
    return tuple(cards)


def aperture_cards(stars: FrameStars, whole: bool) -> list[tuple[str, Any, str]]:
    """Return the cards that say what light a zero point refers to."""
    if not math.isfinite(stars.fwhm):
        return []
    if whole:
        return [("APERDEF", "total", "ABSZPT: all light of a star (curve of growth)"),
                ("APERRAD", round(stars.radius, 3), "radius of the aperture measured, px")]
    return [("APERDEF", "2.5 FWHM", "ABSZPT: light within APERRAD, nothing added"),
            ("APERRAD", round(stars.wide_radius, 3), "radius of the aperture measured, px")]


def _write(job: _WriteJob) -> None:
    """Write one frame; take away what an earlier run left of it in the other places."""
    frame = read_frame(job.task.source)
    for key in ("ABSZPT", "ABSZPERR", "ABSZPTSC", "ABSZPRMS", "ABSZPN", "ABSZPCAT", "ABSZPSYS", "NEWFLXSC"):
        frame.header.remove(key, ignore_missing=True)
    frame.header = finish_header(frame.header, (*job.task.cards, *fitting(job.cards)), "zpoint", job.history[:300])
    job.target.parent.mkdir(parents=True, exist_ok=True)
    write_frame(job.target, frame)
    folder = job.task.target.parent
    for place in (folder, folder / NO_ZERO_POINT, folder / BAD_SCALE):
        if place != job.target.parent:
            with contextlib.suppress(OSError):
                (place / job.task.target.name).unlink()


def _summary(found: GroupCalibration) -> dict[str, Any]:
    """Return the group's numbers for the report."""
    values = [frame.value for frame in found.frames if frame.how in ("catalogue", "tied")]
    if not values:
        return {"ABSZPCAT": "no reference"}
    return {"ABSZPT": round(float(np.median(values)), 5), "ABSZPCAT": found.catalogue, "ABSZPBND": found.band}
