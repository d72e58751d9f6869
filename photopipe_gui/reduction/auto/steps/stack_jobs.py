"""What the workers do for a stack: look at the frames, resample them, combine strips, finish the coadd."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ....errors import FrameError
from ...core.coadd import combine_rows, sky_noise
from ...core.grid import Grid, frame_box, output_grid, touching
from ...core.pixelmap import pixel_map
from ...core.reject import Layer, Rejection
from ...core.resample import BLOCK, EXCLUDED, SATURATED, Flags, FloatImage, resample, spread_blocks
from ...fitsio import read_frame, read_header, read_layout
from ...frame import Mask, MaskImage
from .framecards import frame_wcs, number

_ALIGNED = ("ASTRNMAT", "ASTRCAT", "ASTRRMS1", "NEWFLXSC")
_LEAST_GOOD = 0.02  # fraction of a frame's pixels that must be good


@dataclass(frozen=True)
class Facts:
    """A frame before it is resampled."""

    source: Path
    header: str
    shape: tuple[int, int]
    scale: float
    scale_known: bool
    group: int
    date: str
    fwhm: float


@dataclass(frozen=True)
class GridJob:
    """Frames to find a grid for, and the largest grid in pixels."""

    frames: tuple[Facts, ...]
    largest: int


@dataclass(frozen=True)
class Layout:
    """A grid, which of the frames lie on it, and what the others' boxes would have made of it."""

    grid: Grid
    inside: tuple[int, ...]
    whole: tuple[int, int]


@dataclass(frozen=True)
class PlaceJob:
    """A frame to resample into scratch files."""

    facts: Facts
    grid: Grid
    scratch: Path
    kernel: str


@dataclass(frozen=True)
class Placed:
    """A resampled frame on disk; a `Source` for the combination.

    ``image`` holds float32, ``marks`` uint8, both row by row, ``variance`` float32 by blocks. Only the names travel
    between processes.
    """

    image: Path
    marks: Path
    variance: Path
    x0: int
    y0: int
    shape: tuple[int, int]
    layer: Layer

    def read(self, first: int, last: int) -> tuple[FloatImage, Flags, FloatImage]:
        """Return image, flags and variance ratio of rows `first` to `last` (end excluded)."""
        columns = self.shape[1]
        count, shape = (last - first) * columns, (last - first, columns)
        image = np.fromfile(self.image, np.float32, count, offset=first * columns * 4).reshape(shape)
        marks = np.fromfile(self.marks, np.uint8, count, offset=first * columns).reshape(shape)
        wide, row = -(-columns // BLOCK), first // BLOCK
        rows = -(-last // BLOCK) - row
        blocks = np.fromfile(self.variance, np.float32, rows * wide, offset=row * wide * 4).reshape(rows, wide)
        return image, marks, spread_blocks(blocks, first - row * BLOCK, last - row * BLOCK, columns)


@dataclass(frozen=True)
class Planes:
    """Scratch files of the coadd: value, weight, count, mask, row by row."""

    value: Path
    weight: Path
    count: Path
    mask: Path
    shape: tuple[int, int]

    TYPES = (np.float32, np.float32, np.uint16, np.uint8)

    @property
    def paths(self) -> tuple[Path, Path, Path, Path]:
        """The four files."""
        return self.value, self.weight, self.count, self.mask

    def create(self) -> None:
        """Make the files at their full length."""
        for path, dtype in zip(self.paths, self.TYPES, strict=True):
            with path.open("wb") as stream:
                stream.truncate(self.shape[0] * self.shape[1] * np.dtype(dtype).itemsize)

    def write(self, first: int, planes: Sequence[NDArray[Any]]) -> None:
        """Put rows into the files."""
        for path, dtype, plane in zip(self.paths, self.TYPES, planes, strict=True):
            with path.open("r+b") as stream:
                stream.seek(first * self.shape[1] * np.dtype(dtype).itemsize)
                stream.write(np.ascontiguousarray(plane, dtype=dtype).tobytes())

    def read(self) -> list[NDArray[Any]]:
        """Return the four planes."""
        return [np.fromfile(path, dtype).reshape(self.shape)
                for path, dtype in zip(self.paths, self.TYPES, strict=True)]


@dataclass(frozen=True)
class StripJob:
    """Rows of the coadd to combine."""

    sources: tuple[Placed, ...]
    planes: Planes
    rejection: Rejection
    first: int
    last: int
    step: int


def look(source: Path) -> Facts:
    """Read what the plan of a stack needs from a frame's header.

    Raises
    ------
    FrameError
        When it cannot be read, was never aligned, or has no usable flux scale.
    """
    header = read_header(source)
    if not any(keyword in header for keyword in _ALIGNED):
        raise FrameError(source, "it has no alignment", "Run the astrometry step on it.")
    frame_wcs(header, source)
    scale = number(header, "NEWFLXSC", 1.0)
    if not scale > 0:
        raise FrameError(source, f"its flux scale is {scale}", "Run the zpoint step again.")
    return Facts(source, header.tostring(), read_layout(source).shape, scale, "NEWFLXSC" in header,
                 int(number(header, "ASTRGRP", 0.0)), str(header.get("DATE-OBS", "")), seeing_of(header))


def seeing_of(header: Header) -> float:
    """Return the FWHM of a frame's stars, px; NaN when it was not measured."""
    return number(header, "SEEPIX", number(header, "SEEFWHM"))


def lay_grid(job: GridJob) -> Layout:
    """Return the grid that holds the frames; where that would be too large, the largest group of them that touch."""
    frames = [(frame_wcs(Header.fromstring(f.header), f.source), f.shape) for f in job.frames]
    grid = output_grid(frames)
    inside = tuple(range(len(frames)))
    if grid.shape[0] * grid.shape[1] > job.largest:
        boxes = np.array([frame_box(grid, wcs, shape) for wcs, shape in frames])
        inside = tuple(touching(boxes)[0])
        return Layout(output_grid([frames[k] for k in inside]), inside, grid.shape)
    return Layout(grid, inside, grid.shape)


def flags_of(mask: MaskImage) -> Flags:
    """Return the flags of a frame's mask: what is bad or hit is excluded, what is saturated is told apart."""
    out = np.where((mask & (Mask.BAD | Mask.COSMIC | Mask.NODATA)) != 0, np.uint8(EXCLUDED), np.uint8(0))
    out[(mask & Mask.SATURATED) != 0] |= np.uint8(SATURATED)
    return out


def place(job: PlaceJob) -> Placed:
    """Resample one frame into scratch files.

    Raises
    ------
    FrameError
        When it has hardly a good pixel, no noise, or a WCS that cannot be inverted.
    """
    facts = job.facts
    frame = read_frame(facts.source)
    wcs = frame_wcs(frame.header, facts.source)
    flags = flags_of(frame.mask)
    good = (flags == 0) & np.isfinite(frame.image)
    if good.mean() < _LEAST_GOOD:
        raise FrameError(facts.source, "hardly a pixel of it is good", "Look at the frame and at its masters.")
    noise = sky_noise(frame.image, good)
    if not (math.isfinite(noise) and noise > 0):
        raise FrameError(facts.source, "its sky has no noise", "Look at the frame: it may be empty.")
    try:
        placed = resample(frame.image, flags, pixel_map(job.grid, wcs, facts.shape), facts.scale, kernel=job.kernel)
    except ValueError as error:
        raise FrameError(facts.source, str(error), "Run the astrometry step again.") from error
    stem = job.scratch / facts.source.stem
    image, marks, variance = (stem.with_name(f"{stem.name}.{kind}") for kind in ("image", "marks", "variance"))
    placed.image.tofile(image)
    placed.flags.tofile(marks)
    placed.variance.tofile(variance)
    layer = Layer(noise * facts.scale, float(placed.variance.mean()) if placed.variance.size else 1.0,
                  number(frame.header, "GAIN") / facts.scale, facts.fwhm)
    rows, columns = placed.image.shape
    return Placed(image, marks, variance, placed.x0, placed.y0, (rows, columns), layer)


def combine_strip(job: StripJob) -> NDArray[np.int64]:
    """Combine some rows into the coadd's scratch files; return the values rejected, by frame."""
    rejected = np.zeros(len(job.sources), np.int64)
    layers = [source.layer for source in job.sources]
    for first in range(job.first, job.last, job.step):
        last = min(first + job.step, job.last)
        part = combine_rows(job.sources, layers, job.planes.shape[1], first, last, job.rejection)
        mask = np.where(np.isfinite(part.image), 0, int(Mask.NODATA)).astype(np.uint8)
        mask[part.saturated] |= np.uint8(Mask.SATURATED)
        job.planes.write(first, (part.image, part.weight, part.count, mask))
        rejected += part.rejected
    return rejected


