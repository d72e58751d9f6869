"""skysub: subtract the scaled sky frame, then what is left of the sky level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ....errors import FrameError
from ...core.background import cell_map, clipped_level, expand_cells, fit_surface, sky_ratio
from ...core.fringes import fine_structure, fringe_factor
from ...core.objects import first_mask, object_mask
from ...fitsio import read_frame, read_header, read_pixels, write_frame
from ...frame import Frame
from ...params import option
from ..tasks import FrameTask, StepResult, finish_header

_CELL = 64
_FAINT_FRINGES = 0.05  # of the noise of a pixel: weaker ones do no harm when a tenth of them is left


@dataclass(frozen=True)
class SkysubParams:
    """Options of skysub."""

    fringes: bool = option(True, "Fit the strength of the sky's fine structure in each frame by itself")
    gradient: str = option(
        "auto",
        "Residual slope of the sky: fitted and removed ('plane'), not ('none'), or only after a sky frame ('auto')",
        choices=("auto", "none", "plane"),
    )


def number_in(header: fits.Header, keyword: str) -> float:
    """Return a card as a number, 0 when it is missing or no number."""
    try:
        return float(header.get(keyword, 0.0))
    except (TypeError, ValueError):
        return 0.0


def run(task: FrameTask, params: SkysubParams) -> StepResult:
    """Write the frame without its sky.

    Raises
    ------
    FrameError
        When no pixel shows the sky, or the sky frame has another shape.
    """
    frame = read_frame(task.source)
    bad = ~np.isfinite(frame.image) | (frame.mask != 0)
    if bad.all():
        raise FrameError(task.source, "no good pixel is left", "Look at the frame and at its masters.")
    path = task.aids.get("sky")
    share = fringes = 0.0
    if path is not None:
        sky = np.asarray(read_pixels(path), dtype=np.float32)
        if sky.shape != frame.image.shape:
            raise FrameError(task.source, f"the sky frame {path.name} has another shape", "Run makesky again.")
        share, image, objects = _subtract_scaled(frame, sky, bad)
        if params.fringes:
            image, fringes = _subtract_fringes(image, sky, bad | objects, read_header(path))
        what = f"subtracted {path.name} x {share:.4f} and the median"
    else:
        image, objects = frame.image, first_mask(frame.image, bad)
        what = "subtracted the median"
    hidden = bad | objects
    if params.gradient == "plane" or (params.gradient == "auto" and path is not None):
        image = image - _plane(image, hidden)
        what += ", after a plane"
    level = clipped_level(image, hidden)
    if not level.n:
        level = clipped_level(image, bad)
    image = image - np.float32(level.median)
    header = frame.header
    header["SKYSCALE"] = (round(share, 6), "factor of the sky frame")
    header["SKYFRING"] = (round(fringes, 5), "factor of its fine structure on top of that")
    header["SKYLEFT"] = (round(level.median, 4), "median subtracted after the sky frame, DN")
    header["SKYSIG"] = (round(level.sigma, 4), "noise of the sky in one pixel, DN")
    write_frame(task.target, Frame(image, frame.mask, finish_header(header, task.cards, "skysub", what)))
    measured = {"SKYSCALE": round(share, 6), "SKYLEFT": round(level.median, 3), "SKYSIG": round(level.sigma, 3)}
    return StepResult(measured, task.target, reason="" if path else "no sky frame: the median alone")


def _subtract_scaled(
    frame: Frame, sky: NDArray[np.float32], bad: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float32], NDArray[np.bool_]]:
    """Scale the sky on pixels without objects: first as if there were none, then without those that show."""
    share = sky_ratio(frame.image, sky, bad)
    objects = object_mask(frame.image - np.float32(share) * sky, bad)
    better = sky_ratio(frame.image, sky, bad | objects)
    share = better or share
    return share, frame.image - np.float32(share) * sky, objects


def _subtract_fringes(
    image: NDArray[np.float32], sky: NDArray[np.float32], hidden: NDArray[np.bool_], about: fits.Header
) -> tuple[NDArray[np.float32], float]:
    """Subtract what is left of the fringes, when the sky frame has any that stand out from the frame's noise."""
    noise = clipped_level(image, hidden).sigma
    if number_in(about, "SKYFINE") < _FAINT_FRINGES * noise:
        return image, 0.0
    fine = fine_structure(sky)
    factor = fringe_factor(image, fine, hidden, noise, int(number_in(about, "NSKY") or 1))
    return (image - np.float32(factor) * fine, factor) if factor else (image, 0.0)


def _plane(image: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    cells = cell_map(image, hidden, _CELL, thin=2)
    surface, scatter = fit_surface(cells, 1)
    if not scatter > 0:
        return np.zeros_like(image)
    return expand_cells(surface, cells.rows, cells.columns, (image.shape[0], image.shape[1]))
