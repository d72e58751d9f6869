"""The arithmetic of a master frame: which planes come off, what each frame is divided by, what is bad in the result."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...errors import FrameError
from .. import stats
from ..core.combine import Combined, Input, Method, Tile, combine, processors
from ..core.noise import median_error_factor
from ..fitsio import read_extension
from ..frame import Mask
from .master_inputs import CalibrationFrame
from .master_types import MasterInput, MasterParams
from .source import FitsSource

FLAT_LEAST = 0.3  # of the median: below it a flat is no measure of the pixel's response
_HOT = 10.0  # noise of one frame above the median dark rate at which a pixel is hot (below: dead)
_PAIRS = 4  # differences of bias frames that the read noise is measured from
_BAND = 32  # rows of each of the three bands of these differences
_EVERY = 8  # row that the typical uncertainty is taken from
_SAMPLED_ROWS = 32  # spread over the frame, that the level of a bias or dark frame is taken from


@dataclass
class Stack:
    """The frames of a master on their way: those in use with their sources, and those left out.

    Attributes
    ----------
    frames : list of CalibrationFrame
        In use.
    bias, dark : Source or None
        Master planes that come off each frame.
    norm : float
        What a combined flat was divided by at the end.
    frame_noise : float
        Noise of one frame at a typical pixel, on the scale of the result (a flat's before its division).
    left_out : list of MasterInput
        With their reason.
    """

    mtype: str
    frames: list[CalibrationFrame]
    bias: FitsSource | None = None
    dark: FitsSource | None = None
    left_out: list[MasterInput] = field(default_factory=list)
    sources: dict[Path, FitsSource] = field(default_factory=dict)
    levels: dict[Path, float] = field(default_factory=dict)
    norm: float = 1.0
    frame_noise: float = math.nan

    def source(self, frame: CalibrationFrame) -> FitsSource:
        """Return the pixels of a frame."""
        if frame.path not in self.sources:
            self.sources[frame.path] = FitsSource(frame.path, frame.area, frame.layout)
        return self.sources[frame.path]

    def leave_out(self, path: Path, reason: str) -> None:
        """Take a frame out of the stack."""
        self.frames = [frame for frame in self.frames if frame.path != path]
        self.left_out.append(MasterInput(path, self.levels.get(path, math.nan), problem=reason))

    def close(self) -> None:
        """Close all files."""
        for source in (*self.sources.values(), self.bias, self.dark):
            if source is not None:
                source.close()


def measure_levels(stack: Stack, params: MasterParams, check: Callable[[], None]) -> None:
    """Find the median of every frame; frames that cannot be read, and flats without light, are left out.

    Parameters
    ----------
    check : callable
        Called before each frame; what it raises stops the work.
    """
    subtracting = stack.mtype == "flat" and (stack.bias is not None or stack.dark is not None)
    lock = threading.Lock()
    waiting = iter(list(stack.frames))
    stopped: list[BaseException] = []
    failed: list[tuple[Path, str]] = []

    def work() -> None:
        image = np.empty(stack.frames[0].area.shape if subtracting else (0, 0), np.float32)
        while not stopped:
            with lock:
                frame = next(waiting, None)
            if frame is None:
                return
            try:
                check()
                stack.levels[frame.path] = _level(stack, frame, image)
            except FrameError as error:
                failed.append((frame.path, error.reason))
            except BaseException as error:  # raised again in the calling thread
                stopped.append(error)

    pixels = math.prod(stack.frames[0].area.shape)
    at_once = max(params.memory_limit * (1 << 20) // (12 * pixels), 1) if stack.mtype == "flat" else 1
    threads = [
        threading.Thread(target=work, daemon=True) for _ in range(min(params.workers or processors(), at_once) - 1)
    ]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if stopped:
        raise stopped[0]
    for path, reason in failed:
        stack.leave_out(path, reason)
    if stack.mtype == "flat":
        _leave_out_dark_flats(stack)


def _leave_out_dark_flats(stack: Stack) -> None:
    for frame in list(stack.frames):
        level = stack.levels[frame.path]
        if not (math.isfinite(level) and level > 0):
            stack.leave_out(frame.path, f"its median is {level:.4g} DN after bias and dark were subtracted: no light")


def _level(stack: Stack, frame: CalibrationFrame, image: NDArray[np.float32]) -> float:
    """Return the median of a flat after subtraction, or of some rows of a bias or dark frame as read."""
    source = stack.source(frame)
    ny, nx = source.shape
    if stack.mtype != "flat":
        step = max(ny // _SAMPLED_ROWS, 1)
        rows = range(step // 2, ny, step)
        sample = np.empty((len(rows), nx), source.dtype)
        for i, y in enumerate(rows):
            source.read(Tile(y, y + 1, 0, nx), sample[i : i + 1])
        return stats.median(sample)
    if stack.bias is None and stack.dark is None:
        whole = np.empty((ny, nx), source.dtype)
        source.read(Tile(0, ny, 0, nx), whole)
        return stats.median(whole, overwrite=True)
    plane = np.empty((min(_BAND, ny), nx), np.float32)
    for y in range(0, ny, _BAND):
        tile = Tile(y, min(y + _BAND, ny), 0, nx)
        part, scratch = image[y : tile.y1], plane[: tile.y1 - y]
        source.read(tile, part)
        if stack.bias is not None:
            stack.bias.read(tile, scratch)
            part -= scratch
        if stack.dark is not None:
            stack.dark.read(tile, scratch)
            scratch *= np.float32(frame.exptime)
            part -= scratch
    return stats.median(image, overwrite=True)


def _inputs(stack: Stack, params: MasterParams, read_noise: float) -> list[Input]:
    """Return how each frame is scaled: darks by their time, flats by their median, with the noise of its photons.

    Saturated pixels of flats do not enter a mean; the median is that of all values, as published.
    """
    if stack.mtype == "bias":
        return [Input(stack.source(frame)) for frame in stack.frames]
    if stack.mtype == "dark":
        return [Input(stack.source(frame), scale=frame.exptime) for frame in stack.frames]
    inputs = []
    for frame in stack.frames:
        level = stack.levels[frame.path]
        gain = frame.gain if math.isfinite(frame.gain) and frame.gain > 0 else 1.0
        noise = math.sqrt(level * gain + read_noise**2) / (level * gain)
        exposure = frame.exptime if stack.dark is not None else 0.0
        saturated = params.method != "median" and math.isfinite(frame.saturation)
        ceiling = frame.saturation if saturated else math.inf
        inputs.append(Input(stack.source(frame), exposure, level, noise, ceiling))
    return inputs


def combine_stack(
    stack: Stack, params: MasterParams, read_noise: float, tick: Callable[[int, int], None]
) -> tuple[Combined, tuple[MasterInput, ...]]:
    """Combine the frames of a stack; a frame that fails while it is read is left out and the rest combined anew.

    Returns
    -------
    Combined
        Bias in DN, dark in DN/s, flat divided by its median. The uncertainty includes that of the planes subtracted.
    tuple of MasterInput
        What each frame in use gave.

    Raises
    ------
    FrameError
        When the bias or dark master cannot be read, or no frame is left.
    """
    while True:
        inputs = _inputs(stack, params, read_noise)
        try:
            result = combine(
                inputs,
                method=cast(Method, params.method),
                low=params.sigma_low,
                high=params.sigma_high,
                bias=stack.bias,
                dark=stack.dark if stack.mtype == "flat" else None,
                memory_limit=params.memory_limit << 20,
                workers=params.workers,
                tick=tick,
            )
            break
        except FrameError as error:
            if error.path not in {frame.path for frame in stack.frames} or len(stack.frames) == 1:
                raise
            stack.leave_out(error.path, error.reason)
    stack.frame_noise = _frame_noise(result, params.method)
    _add_errors_of_planes(stack, inputs, params, result.uncertainty)
    if stack.mtype == "flat":
        stack.norm = _normalise(result)
    given = tuple(
        MasterInput(
            frame.path,
            stack.levels.get(frame.path, math.nan),
            item.scale,
            part.n_rejected,
            part.outlier_fraction,
            part.mean_residual,
        )
        for frame, item, part in zip(stack.frames, inputs, result.contributions, strict=True)
    )
    return result, given


def _frame_noise(result: Combined, method: str) -> float:
    """Return the noise of one frame at a typical pixel from the uncertainty of the result; NaN with a single frame."""
    n = len(result.contributions)
    factor = float(median_error_factor(np.array([float(n)]), np.ones(1))[0]) if method == "median" else n**-0.5
    return stats.median(result.uncertainty[::_EVERY]) / factor


def _add_errors_of_planes(
    stack: Stack, inputs: Sequence[Input], params: MasterParams, uncertainty: NDArray[np.float32]
) -> None:
    """Add what the errors of the bias and dark masters make in the result, in quadrature and in place.

    They are common to all frames, so that they do not fall with the number of frames.
    """
    weights = np.array([item.noise**-2.0 if params.method != "median" else 1.0 for item in inputs])
    weights /= weights.sum()
    scales = np.array([item.scale for item in inputs])
    exposures = np.array([item.exposure for item in inputs])
    for plane, effects in ((stack.bias, 1 / scales), (stack.dark, exposures / scales)):
        error = None if plane is None else read_extension(plane.path, "UNCERT")
        if error is not None and error.shape == uncertainty.shape:
            error = np.nan_to_num(error.astype(np.float32, copy=False)) * np.float32(weights @ effects)
            np.hypot(uncertainty, error, out=uncertainty)


def _normalise(flat: Combined) -> float:
    """Divide a flat by its own median, in place, and return that."""
    middle = np.float32(stats.median(flat.image))
    np.divide(flat.image, middle, out=flat.image)
    np.divide(flat.uncertainty, middle, out=flat.uncertainty)
    return float(middle)


def bad_pixels(mtype: str, master: Combined, frame_noise: float) -> NDArray[np.uint8]:
    """Return the MASK plane of a master.

    NODATA where there is no value. BAD in a flat where it is below 0.3; in a dark where the rate differs from the
    median by more than 10 times the noise of one frame (hot, dead).
    """
    image = master.image
    mask = np.zeros(image.shape, np.uint8)
    with np.errstate(invalid="ignore"):
        if mtype == "flat":
            mask[image < FLAT_LEAST] = Mask.BAD
        elif mtype == "dark":
            middle = stats.median(image)
            if frame_noise > 0:
                mask[np.abs(image - np.float32(middle)) > _HOT * frame_noise] = Mask.BAD
        if not np.isfinite(image.sum()):
            mask[~np.isfinite(image)] = Mask.BAD | Mask.NODATA
    return mask


def read_noise_of(stack: Stack) -> float:
    """Return the read noise in DN from differences of consecutive bias frames; NaN with fewer than two.

    The biweight sigma of the difference over three bands of rows, divided by the root of two; the median over up to
    4 pairs. A difference of levels between two frames does not enter.
    """
    found = []
    for first, second in list(zip(stack.frames, stack.frames[1:], strict=False))[:_PAIRS]:
        # A frame that became unreadable is found, named and left out when the stack is combined.
        with contextlib.suppress(FrameError):
            found.append(_scatter_of_difference(stack.source(first), stack.source(second)) / math.sqrt(2.0))
    return float(np.median(found)) if found else math.nan


def _scatter_of_difference(a: FitsSource, b: FitsSource) -> float:
    """Return the biweight sigma of a - b over three bands of rows: at the bottom, in the middle, at the top."""
    ny, nx = a.shape
    parts = []
    for y0 in sorted({0, max(ny // 2 - _BAND // 2, 0), max(ny - _BAND, 0)}):
        tile = Tile(y0, min(y0 + _BAND, ny), 0, nx)
        one, other = (np.empty((tile.y1 - y0, nx), np.float32) for _ in range(2))
        a.read(tile, one)
        b.read(tile, other)
        parts.append(np.subtract(one, other, out=one))
    return stats.robust_sigma(np.concatenate(parts))
