"""skysub: subtract the scaled sky frame, then what is left of the sky level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....errors import FrameError
from ...core.background import cell_map, clipped_level, expand_cells, fit_surface, sky_ratio
from ...core.objects import first_mask, object_mask
from ...fitsio import read_frame, read_pixels, write_frame
from ...frame import Frame
from ...params import option
from ..tasks import FrameTask, StepResult, finish_header

_CELL = 64


@dataclass(frozen=True)
class SkysubParams:
    """Options of skysub."""

    gradient: str = option(
        "auto",
        "Residual slope of the sky: fitted and removed ('plane'), not ('none'), or only after a sky frame ('auto')",
        choices=("auto", "none", "plane"),
    )


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
    share = 0.0
    if path is not None:
        sky = np.asarray(read_pixels(path), dtype=np.float32)
        if sky.shape != frame.image.shape:
            raise FrameError(task.source, f"the sky frame {path.name} has another shape", "Run makesky again.")
        share, image, objects = _subtract_scaled(frame, sky, bad)
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


def _plane(image: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    cells = cell_map(image, hidden, _CELL, thin=2)
    surface, scatter = fit_surface(cells, 1)
    if not scatter > 0:
        return np.zeros_like(image)
    return expand_cells(surface, cells.rows, cells.columns, (image.shape[0], image.shape[1]))
