"""Looking into a master: one pixel through the stack of its inputs, the comparison with the master of another night."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FrameError
from ...instruments.model import Instrument
from ...instruments.registry import get
from ..core.combine import Source, Tile
from ..core.noise import median_error_factor
from ..fitsio import read_extension, read_layout, read_pixels
from ..stats import median, robust_sigma
from .master_file import read_master
from .master_inputs import read_calibration_frame
from .source import FitsSource

OFF = 6.0  # sigma from which a pixel has changed
MOST_OFF = 0.05  # fraction of changed pixels from which two masters are not the same


@dataclass(frozen=True, slots=True)
class StackValue:
    """What one input says of one pixel.

    Attributes
    ----------
    path : Path
    value : float
        On the master's scale: DN (bias), DN/s (dark), relative to the median (flat); NaN when the frame cannot be read.
    deviation : float
        (value - master) / sigma, sigma the noise of one frame at this pixel.
    """

    path: Path
    value: float
    deviation: float


@dataclass(frozen=True)
class MasterComparison:
    """How a master differs from another of the same kind.

    Attributes
    ----------
    change : ndarray of float32, shape (ny, nx)
        Master - other (bias: DN, dark: DN/s), or master / other - 1 (flat).
    significance : ndarray of float32, shape (ny, nx)
        The change in units of its error.
    median_change : float
    fraction : float
        Of the pixels with a value in both, those changed by more than 6 sigma.
    differs : bool
        More than 5 % of the pixels are changed.
    verdict : str
        The same in words.
    """

    change: NDArray[np.float32]
    significance: NDArray[np.float32]
    median_change: float
    fraction: float
    differs: bool
    verdict: str


def through_stack(
    master: Path | str, instrument: str | Instrument, y: int, x: int, frames: Sequence[Path] = ()
) -> tuple[StackValue, ...]:
    """Return the values of one pixel in the inputs of a master, brought to the master's scale.

    Parameters
    ----------
    master : path
        A master that this program wrote.
    instrument : str or Instrument
    y, x : int
        Pixel of the master, zero-based.
    frames : sequence of Path, optional
        Where its inputs lie; by default the folder above the master's.

    Raises
    ------
    FrameError
        When the master cannot be read or does not hold the pixel.
    """
    master = Path(master)
    result = read_master(master, frames)
    cards = read_layout(master).cards
    tile = Tile(y, y + 1, x, x + 1)
    level = _pixel(FitsSource(master), tile)
    sigma = _frame_noise(master, tile)
    planes = [
        _number(master.parent / str(cards[key]), tile) if key in cards else 0.0 for key in ("BIASFILE", "DARKFILE")
    ]
    norm = float(cards.get("FLATNORM", 1.0))
    values = []
    for item in result.inputs:
        try:
            frame = read_calibration_frame(item.path, get(instrument), result.mtype, result.key)
            raw = _pixel(FitsSource(frame.path, frame.area, frame.layout), tile)
        except FrameError:
            values.append(StackValue(item.path, math.nan, math.nan))
            continue
        dark = planes[1] * frame.exptime if planes[1] else 0.0
        value = (raw - planes[0] - dark) / item.scale / norm
        values.append(StackValue(item.path, value, (value - level) / sigma if sigma > 0 else math.nan))
    return tuple(values)


def _pixel(source: FitsSource, tile: Tile) -> float:
    ny, nx = source.shape
    if not (0 <= tile.y0 < ny and 0 <= tile.x0 < nx):
        raise FrameError(source.path, f"it has no pixel x {tile.x0}, y {tile.y0}", "Point at the image.")
    try:
        return _value(source, tile)
    finally:
        source.close()


def _value(source: Source, tile: Tile) -> float:
    out = np.empty((1, 1), np.float32)
    source.read(tile, out)
    return float(out[0, 0])


def _number(path: Path, tile: Tile) -> float:
    """Return a pixel of a plane that was subtracted; 0 when it is gone."""
    try:
        return _pixel(FitsSource(path), tile)
    except FrameError:
        return 0.0


def _frame_noise(master: Path, tile: Tile) -> float:
    """Return the noise of one frame at a pixel, from the uncertainty of the master there."""
    uncertainty, count = read_extension(master, "UNCERT"), read_extension(master, "COUNT")
    if uncertainty is None or count is None:
        return math.nan
    n = float(count[tile.y0, tile.x0])
    if n < 1:
        return math.nan
    averaged = read_layout(master).cards.get("METHOD") != "median"
    factor = n**-0.5 if averaged else float(median_error_factor(np.array([n]), np.ones(1))[0])
    return float(uncertainty[tile.y0, tile.x0]) / factor


def compare_masters(master: Path | str, other: Path | str) -> MasterComparison:
    """Compare two masters of one kind, say of two nights.

    The error of the change is that of both ``UNCERT`` planes; where one has none, the robust sigma of the change.

    Raises
    ------
    FrameError
        When one cannot be read, or they differ in kind or size.
    """
    master, other = Path(master), Path(other)
    kinds = [_kind(path) for path in (master, other)]
    if kinds[0] != kinds[1]:
        raise FrameError(other, f"it is a master {kinds[1]}, not {kinds[0]}", "Choose one of the same kind.")
    a, b = (read_pixels(path).astype(np.float32) for path in (master, other))
    if a.shape != b.shape:
        raise FrameError(
            other,
            f"it is {b.shape[1]} x {b.shape[0]} px, {master.name} is {a.shape[1]} x {a.shape[0]} px",
            "Choose one of the same size.",
        )
    errors = [read_extension(path, "UNCERT") for path in (master, other)]
    relative = kinds[0] == "flat"
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = a / b - 1 if relative else a - b
        change[~np.isfinite(change)] = np.nan
        sigma = _error_of_change(a, b, errors, relative)
        significance = change / (sigma if sigma is not None else np.float32(robust_sigma(change) or 1.0))
    known = np.isfinite(significance)
    number = int(np.count_nonzero(known))
    fraction = np.count_nonzero(np.abs(significance[known]) > OFF) / number if number else math.nan
    middle = median(change)
    differs = bool(number and fraction > MOST_OFF)
    unit = {"bias": " DN", "dark": " DN/s"}.get(kinds[0], "")
    state = "They differ" if differs else "No significant change"
    verdict = f"{state}: {100 * fraction:.2g} % of the pixels are off by more than {OFF:g} sigma; median change "
    verdict += f"{100 * middle:+.3g} %." if relative else f"{middle:+.4g}{unit}."
    return MasterComparison(change, significance, middle, fraction, differs, verdict)


def _kind(path: Path) -> str:
    """Return the kind of a master from its header, else from its name."""
    return str(read_layout(path).cards.get("MSTTYPE") or path.name.partition("_")[0])


def _error_of_change(
    a: NDArray[np.float32], b: NDArray[np.float32], errors: Sequence[NDArray[np.generic] | None], relative: bool
) -> NDArray[np.float32] | None:
    """Return the error of the change from the uncertainties of both images; None when one has none."""
    first, second = (None if error is None else error.astype(np.float32) for error in errors)
    if first is None or second is None or first.shape != a.shape or second.shape != b.shape:
        return None
    if relative:
        first, second = first / b, (second * a / np.square(b)).astype(np.float32)
    both: NDArray[np.float32] = np.hypot(first, second)
    return both
