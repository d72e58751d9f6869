"""prepare: keep the standard keywords, flag saturated and bad pixels, subtract bias and dark current."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ....errors import FrameError
from ...core.saturation import saturated_with_bleed
from ...fitsio import read_header, read_mask, read_pixels, write_frame
from ...frame import Frame, Mask
from ...params import option
from ..tasks import FrameTask, StepResult, finish_header

#: Keywords of the selected copies that go on; the structural ones are made anew for each file.
KEPT = frozenset((
    "DATE-OBS", "EXPTIME", "INSTRUME", "LATITUDE", "LONGITUD", "BINNING", "BINX", "BINY", "CAMERA", "TARGNAME",
    "UTC", "OBJECT", "OBJNAME", "AIRMASS", "GAIN", "SATURATE", "PIXSCALE", "FILTER", "WAVELENG", "CD1_1",
    "CD1_2", "CD2_1", "CD2_2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CTYPE1", "CTYPE2", "OBSRA", "OBSDEC",
    "RAWFILE", "CHANNEL", "TGTHALF", "RDNOISE", "SOLVRA", "SOLVDEC", "HISTORY",
))
_FAMILIES = re.compile(r"(PV\d+_\d+|PP[A-Z0-9]+)$")


@dataclass(frozen=True)
class PrepareParams:
    """Options of prepare."""

    bleed: int = option(
        2, "Pixels by which a bleeding column of a CCD is flagged beyond its saturated run", unit="px", low=0, high=50,
        advanced=True,
    )


def kept_header(header: fits.Header) -> fits.Header:
    """Return the cards that go on: those of `KEPT`, the distortion terms, and the program's own."""
    kept = fits.Header()
    for card in header.cards:
        if card.keyword in KEPT or _FAMILIES.match(card.keyword):
            kept.append(card, end=True)
    return kept


def number_in(header: fits.Header, keyword: str) -> float:
    """Return a card as a number, NaN when it is missing or no number."""
    try:
        return float(header.get(keyword, "nan"))
    except (TypeError, ValueError):
        return float("nan")


def _master(
    path: Path, shape: tuple[int, int], frame: Path, kind: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read a master and its bad pixels; NaN in the master is bad."""
    image = np.asarray(read_pixels(path), dtype=np.float32)
    if image.shape != shape:
        raise FrameError(
            frame,
            f"it is {shape[1]} x {shape[0]} px and the master {kind} {path.name} is "
            f"{image.shape[1]} x {image.shape[0]}",
            f"Make a master {kind} from frames of the same window and binning, or leave the frame out.",
        )
    bad = ~np.isfinite(image)
    flagged = read_mask(path)
    if flagged is not None and flagged.shape == shape:
        bad |= (flagged & Mask.BAD) != 0
    return image, bad


def run(task: FrameTask, params: PrepareParams) -> StepResult:
    """Write the prepared frame.

    Raises
    ------
    FrameError
        When the frame cannot be read, a master has another shape, or a dark is to be scaled and EXPTIME is missing.
    """
    raw = read_pixels(task.source)
    header = read_header(task.source)
    mask = np.zeros(raw.shape, np.uint8)
    level = number_in(header, "SATURATE")
    if np.isfinite(level) and level > 0:
        columns = str(header.get("WAVELENG", "OPT")).strip().upper() != "IR"
        saturated = saturated_with_bleed(raw, level, params.bleed if columns else 0)
        mask[saturated] = np.uint8(Mask.SATURATED)
    image = raw.astype(np.float32)
    done = []
    if (path := task.aids.get("bias")) is not None:
        bias, bad = _master(path, image.shape, task.source, "bias")
        image -= bias
        mask[bad] |= np.uint8(Mask.BAD)
        done.append(f"bias {path.name}")
    if (path := task.aids.get("dark")) is not None:
        exposure = number_in(header, "EXPTIME")
        if not np.isfinite(exposure) or exposure < 0:
            raise FrameError(task.source, "its exposure time is missing, and a dark is to be scaled with it",
                             "Correct EXPTIME in the selected copy, or run without the master dark.")
        dark, bad = _master(path, image.shape, task.source, "dark")
        image -= dark * np.float32(exposure)
        mask[bad] |= np.uint8(Mask.BAD)
        done.append(f"dark {path.name} x {exposure:g} s")
    hole = ~np.isfinite(image)
    image[hole] = np.nan
    mask[hole] |= np.uint8(Mask.NODATA)
    what = "subtracted " + " and ".join(done) if done else "no bias or dark subtracted"
    kept = finish_header(kept_header(header), task.cards, "prepare", what)
    _add_read_noise(kept, task)
    write_frame(task.target, Frame(image, mask, kept))
    flags = {"NSATPIX": Mask.SATURATED, "NBADPIX": Mask.BAD}
    counts = {name: int(np.count_nonzero(mask & bit)) for name, bit in flags.items()}
    return StepResult(counts, task.target, reason="" if done else what)


def _add_read_noise(header: fits.Header, task: FrameTask) -> None:
    """Take the read noise that was measured on the bias frames when the frame's own header states none."""
    path = task.aids.get("bias")
    if path is None or number_in(header, "RDNOISE") > 0:
        return
    noise = number_in(read_header(path), "RDNOISE")
    if noise > 0:
        header["RDNOISE"] = (noise, "read noise, e-, measured on the bias frames")


