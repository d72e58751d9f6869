"""flatten: divide by the master flat of the filter; note the sky level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import FrameError
from ...core.background import clipped_level
from ...fitsio import read_frame, read_mask, read_pixels, write_frame
from ...frame import Frame, Mask
from ...params import option
from ..tasks import FrameTask, StepResult, finish_header


@dataclass(frozen=True)
class FlattenParams:
    """Options of flatten."""

    flat_floor: float = option(
        0.3, "Pixels of the master flat below this become bad pixels without a value", low=0.0, high=0.95
    )


def run(task: FrameTask, params: FlattenParams) -> StepResult:
    """Write the flattened frame.

    Raises
    ------
    FrameError
        When the flat is missing, has another shape, or leaves no pixel.
    """
    path = task.aids.get("flat")
    if path is None:
        raise FrameError(task.source, "there is no master flat of its filter", "Make one, or put one into calibration.")
    frame = read_frame(task.source)
    flat = np.asarray(read_pixels(path), dtype=np.float32)
    image, mask, header = frame.image, frame.mask, frame.header
    if flat.shape != image.shape:
        raise FrameError(
            task.source,
            f"it is {image.shape[1]} x {image.shape[0]} px and the master flat {path.name} is "
            f"{flat.shape[1]} x {flat.shape[0]}",
            "Make a flat from frames of the same window and binning, or leave the frame out.",
        )
    with np.errstate(invalid="ignore"):
        low = ~(flat >= np.float32(params.flat_floor))
    flat[low] = np.nan
    image = image / flat
    mask[low] |= np.uint8(Mask.BAD)
    flagged = read_mask(path)
    if flagged is not None and flagged.shape == mask.shape:
        mask[(flagged & Mask.BAD) != 0] |= np.uint8(Mask.BAD)
    hole = ~np.isfinite(image)
    image[hole] = np.nan
    mask[hole] |= np.uint8(Mask.NODATA)
    sky = clipped_level(image, mask)
    if not sky.n:
        sky = clipped_level(image, mask & np.uint8(Mask.NODATA | Mask.BAD))
    if not sky.n:
        raise FrameError(task.source, "no pixel is left after division by the flat", f"Look at {path.name}.")
    exposure = _number(header.get("EXPTIME"))
    header["FLATFLD"] = (path.name[:60], "master flat")
    header["SKYCTS"] = (round(sky.median, 4), "sky level, DN")
    measured = {"SKYCTS": round(sky.median, 3), "SKYSIG": round(sky.sigma, 3)}
    header["SKYSIG"] = (round(sky.sigma, 4), "noise of the sky in one pixel, DN")
    if exposure > 0:
        header["CTRATE"] = (round(sky.median / exposure, 6), "sky level, DN/s")
        measured["CTRATE"] = round(sky.median / exposure, 6)
    header = finish_header(header, task.cards, "flatten", f"divided by {path.name}")
    write_frame(task.target, Frame(image, mask, header))
    return StepResult(measured, task.target)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
