"""crclean: find and repair cosmic rays."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ....errors import FrameError
from ...core.cosmics import CosmicSettings, find_cosmics, noise_model, sky_noise
from ...core.detect import detect, measure_seeing
from ...fitsio import read_frame, read_header, write_frame
from ...frame import FloatImage, Frame, Mask
from ...params import option
from ..tasks import FrameTask, StepResult, finish_header

_FLAT = re.compile(r"twilight|(^|[^a-z])(sky|dome|twi|evening|morning|dusk|dawn)?[^a-z]*flats?([^a-z]|$)")
_WINDOW = 1024


@dataclass(frozen=True)
class CrcleanParams:
    """Options of crclean."""

    sigclip: float = option(
        5.0, "Limit of the Laplacian (PhotoPipe's 30 finds 6 of 10 hits)", unit="sigma", low=2, high=100
    )
    sigfrac: float = option(0.3, "Limit for the neighbours of a hit, as a fraction of sigclip", low=0.05, high=1)
    objlim: float = option(
        0.0, "Least contrast of a hit against the image's fine structure; 0: by the FWHM of the stars", low=0, high=50
    )
    niter: int = option(2, "Iterations at most", low=1, high=10)
    fsmode: str = option(
        "median",
        "Fine structure by median or by convolution with a Gaussian",
        choices=("median", "convolve"),
        advanced=True,
    )
    readnoise: float = option(
        0.0, "Read noise; 0: from the header, or else from the noise of the frame's sky", unit="e-", low=0, high=1000
    )


def is_flat_target(name: str) -> bool:
    """Return True for the target name of a flat or twilight frame."""
    return bool(_FLAT.search(name.strip().lower()))


def run(task: FrameTask, params: CrcleanParams) -> StepResult:
    """Write the frame with its cosmic rays repaired and flagged.

    A frame of a flat or twilight target is skipped.

    Raises
    ------
    FrameError
        When no pixel is left to measure the noise on.
    """
    target = str(read_header(task.source).get("TARGNAME", ""))
    if is_flat_target(target):
        return StepResult(product=task.source, skipped=f"its target is {target}: not cleaned of cosmic rays")
    frame = read_frame(task.source)
    bad = ~np.isfinite(frame.image) | (frame.mask != 0)
    noise = sky_noise(frame.image, bad)
    if not noise > 0:
        raise FrameError(task.source, "its sky shows no noise to measure hits against", "Look at the frame.")
    header = frame.header
    stated = params.readnoise or _number(header.get("RDNOISE"))
    model = noise_model(noise, _number(header.get("GAIN")), stated, _number(header.get("SKYCTS")))
    seeing = frame_seeing(frame)
    settings = CosmicSettings(params.sigclip, params.sigfrac, params.objlim, params.niter, params.fsmode)
    found = find_cosmics(frame.image, bad, model, seeing, settings)
    frame.mask[found.hits] |= np.uint8(Mask.COSMIC)
    count = int(np.count_nonzero(found.hits))
    header["NPZAP"] = (count, "pixels hit by cosmic rays")
    header["CRSIGCLP"] = (found.sigclip, "limit of L.A.Cosmic, sigma")
    header["CRNOISE"] = (round(model.read_noise, 3), "read noise of its noise model, e-")
    measured: dict[str, float] = {"NPZAP": count, "CRNOISE": round(model.read_noise, 2)}
    if np.isfinite(seeing):
        header["CRFWHM"] = (round(seeing, 3), "FWHM of the stars, px")
        measured["CRFWHM"] = round(seeing, 2)
    header = finish_header(header, task.cards, "crclean", f"{count} pixels of cosmic rays repaired")
    write_frame(task.target, Frame(found.image, frame.mask, header))
    raised = found.sigclip > params.sigclip
    reason = f"limit raised to {found.sigclip:g} sigma: too many pixels were hit" if raised else ""
    return StepResult(measured, task.target, reason=reason)


def frame_seeing(frame: Frame) -> float:
    """Return the FWHM of the frame's stars in px, from its middle when that has enough of them; NaN without stars."""
    ny, nx = frame.image.shape
    y0, x0 = max((ny - _WINDOW) // 2, 0), max((nx - _WINDOW) // 2, 0)
    middle = np.s_[y0 : y0 + _WINDOW, x0 : x0 + _WINDOW]
    seeing, count = _seeing_of(frame.image[middle], frame.mask[middle])
    if count < 10 and (ny > _WINDOW or nx > _WINDOW):
        seeing, _ = _seeing_of(frame.image, frame.mask)
    return seeing


def _seeing_of(image: FloatImage, mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[float, int]:
    saturated = (mask & Mask.SATURATED) != 0
    sources = detect(image, mask & np.uint8(Mask.BAD | Mask.NODATA), saturated=saturated, threshold=10.0)
    return measure_seeing(sources), sources.n


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
