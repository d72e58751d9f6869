"""What the Masters tab asks of the engine: build, read back, compare an input with its master."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import FrameError
from ..instruments.model import Instrument
from ..reduction.calibration import master_name
from ..reduction.fitsio import atomic_write, read_extension, read_layout, read_pixels
from ..reduction.frame import Mask
from ..reduction.preprocess.copies import calibration_lists
from ..reduction.preprocess.master import make_masters
from ..reduction.preprocess.master_types import MASTER_TYPES, MasterParams, MasterResult
from ..reduction.progress import Reporter, check_cancelled
from ..reduction.selection import Selection, save_selection
from ..reduction.stats import robust_sigma
from ..reduction.table import FrameRow, FrameTable
from ..reduction.workspace import CALIBRATION
from .models.masters import ADOPTED_KEY, MasterEntry

BINS = 256
#: A pixel is an outlier when it is further than this from the master, in units of the noise of one frame.
OUTLIER_SIGMA = 6.0
#: The error of a median is so much larger than that of a mean.
_MEDIAN_FACTOR = math.sqrt(math.pi / 2)


@dataclass(frozen=True)
class MasterPicture:
    """A master as it is shown.

    Attributes
    ----------
    path : Path
    pixels : ndarray of float32, shape (ny, nx)
        DN (bias), DN/s (dark), relative to the median (flat); NaN where there is no measurement.
    bad : ndarray of bool or None
        Bad pixels of its mask.
    counts, edges : ndarray
        Histogram over the values between 0.01 and 99.99 %.
    median, sigma : float
        Of the finite pixels.
    """

    path: Path
    pixels: NDArray[np.float32]
    bad: NDArray[np.bool_] | None
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    median: float
    sigma: float

    @property
    def nbytes(self) -> int:
        """Size for the cache."""
        return int(self.pixels.nbytes) + (0 if self.bad is None else int(self.bad.nbytes))


@dataclass(frozen=True)
class Residual:
    """How far an input is from its master.

    Attributes
    ----------
    frame_id : str
    image : ndarray of float32, shape (ny, nx)
        (input - master) / sigma, sigma the noise of one frame; NaN where either has no measurement.
    mean : float
        Mean of the image.
    outliers : float
        Fraction of pixels further than 6 sigma.
    counts, edges : ndarray
        Histogram from -10 to 10.
    """

    frame_id: str
    image: NDArray[np.float32]
    mean: float
    outliers: float
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Size for the cache."""
        return int(self.image.nbytes)


def read_master_picture(path: Path, plane: str = "") -> MasterPicture:
    """Read a master (or one of its planes: ``UNCERT``, ``COUNT``) for the screen.

    Raises
    ------
    FrameError
        When it cannot be read, or has no such plane.
    """
    image: NDArray[Any] | None = read_extension(path, plane) if plane else read_pixels(path)
    if image is None:
        raise FrameError(path, f"it has no {plane} plane", "Build the master again.")
    pixels = np.asarray(image, np.float32)
    mask = read_extension(path, "MASK")
    bad = None if mask is None or mask.shape != pixels.shape else (mask & int(Mask.BAD)) > 0
    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        raise FrameError(path, "it holds no finite pixel", "Build the master again.")
    low, high = np.percentile(finite[:: max(1, finite.size // 400_000)], (0.01, 99.99))
    if not high > low:
        low, high = float(low) - 0.5, float(low) + 0.5
    counts, edges = np.histogram(finite, BINS, (float(low), float(high)))
    return MasterPicture(path, pixels, bad, counts, edges, float(np.median(finite)), float(robust_sigma(finite)))


def calibrated(row: FrameRow, mtype: str, folder: Path) -> NDArray[np.float32]:
    """Return a calibration frame on the scale of its master: as `mkmaster` brings it there.

    Parameters
    ----------
    folder : Path
        Where the master bias and dark of its camera are.

    Raises
    ------
    FrameError
        When it cannot be read.
    """
    image = read_pixels(row.path, row.area).astype(np.float32)
    if mtype == "bias":
        return image
    key = f"C{row.camera}"
    bias = _plane_like(folder / master_name("bias", key), image)
    if bias is not None:
        image -= bias
    if mtype == "dark":
        return image / np.float32(row.exptime)
    dark = _plane_like(folder / master_name("dark", key), image)
    if dark is not None and math.isfinite(row.exptime):
        image -= dark * np.float32(row.exptime)
    return image / np.float32(np.nanmedian(image))


def _plane_like(path: Path, image: NDArray[np.float32]) -> NDArray[np.float32] | None:
    if not path.is_file():
        return None
    plane = read_pixels(path).astype(np.float32)
    return plane if plane.shape == image.shape else None


def residual_of(row: FrameRow, mtype: str, master: Path) -> Residual:
    """Compare an input with its master.

    sigma is the noise of one frame: the master's ``UNCERT`` plane times the root of the number combined, where there is
    one; else the robust sigma of the differences.

    Raises
    ------
    FrameError
        When either cannot be read, or they differ in size.
    """
    image = calibrated(row, mtype, master.parent)
    reference = read_pixels(master).astype(np.float32)
    if reference.shape != image.shape:
        raise FrameError(row.path, f"its area is not that of {master.name}", "Build the master again.")
    image -= reference
    image /= _noise(master, image)
    image[~np.isfinite(image)] = np.nan
    finite = image[np.isfinite(image)]
    if not finite.size:
        raise FrameError(row.path, "it has no pixel in common with the master", "Leave it out.")
    outliers = float(np.count_nonzero(np.abs(finite) > OUTLIER_SIGMA)) / finite.size
    counts, edges = np.histogram(np.clip(finite, -10, 10), BINS, (-10.0, 10.0))
    return Residual(row.frame_id, image, float(finite.mean()), outliers, counts, edges)


def _noise(master: Path, difference: NDArray[np.float32]) -> NDArray[np.float32] | np.float32:
    uncertainty = read_extension(master, "UNCERT")
    cards = read_layout(master).cards
    count = cards.get("NCOMBINE")
    if uncertainty is not None and uncertainty.shape == difference.shape and isinstance(count, int) and count > 0:
        factor = math.sqrt(count) / (_MEDIAN_FACTOR if cards.get("METHOD", "median") == "median" else 1.0)
        noise = uncertainty.astype(np.float32) * np.float32(factor)
        floor = np.float32(np.nanmedian(noise))
        # A pixel whose few inputs happen to agree has no small noise: not below half of the usual.
        return np.where(noise > 0.5 * floor, noise, floor) if floor > 0 else np.float32(robust_sigma(difference))
    sigma = float(robust_sigma(difference))
    return np.float32(sigma if sigma > 0 else 1.0)


@dataclass(frozen=True)
class BuildRequest:
    """What to build, frozen when the observer pressed the button.

    Attributes
    ----------
    table : FrameTable
        Frames of the cameras in use.
    idents : tuple of (type, key)
        Masters to build.
    confirmed : frozenset of (type, key)
        Those to be made from fewer frames than wanted.
    redo : bool
        Make them again even when they are up to date.
    """

    night: Path
    instrument: Instrument
    table: FrameTable
    selection: Selection
    idents: tuple[tuple[str, str], ...]
    params: MasterParams
    confirmed: frozenset[tuple[str, str]] = frozenset()
    redo: bool = False


def build_masters(request: BuildRequest) -> Callable[[Reporter], list[MasterResult]]:
    """Return the job that saves the selections and makes masters: bias, then dark, then flat.

    Each comes as a `MasterResult`.
    """

    def job(reporter: Reporter) -> list[MasterResult]:
        results = []
        for mtype in MASTER_TYPES:
            keys = {key for wanted, key in request.idents if wanted == mtype}
            if not keys:
                continue
            check_cancelled(reporter)
            frames = request.table.where(mtype)
            lists = calibration_lists(request.instrument, frames, request.selection, request.night)
            save_selection(lists, request.night, mtype)
            wanted_lists = {key: paths for key, paths in lists.items() if key in keys}
            sure = {key for kind, key in request.confirmed if kind == mtype}
            results += make_masters(
                request.instrument,
                wanted_lists,
                mtype,
                request.params,
                request.night / CALIBRATION,
                reporter,
                sure,
                request.redo,
            )
        return results

    return job


def adopt_master(source: Path, entry: MasterEntry, shape: tuple[int, int] | None) -> Path:
    """Copy a master of another night into this one, and say so in its header.

    Parameters
    ----------
    shape : tuple of int, optional
        Rows and columns of the frames it is for; None when not known.

    Returns
    -------
    Path
        The copy; the source is not touched.

    Raises
    ------
    FrameError
        When it cannot be read, or is no such master.
    NightError
        When the copy cannot be written.
    """
    cards = read_layout(source).cards
    _check_fits(source, cards, entry, read_layout(source).shape, shape)
    night = source.parent.parent if source.parent.name == CALIBRATION else source.parent
    name = "".join(c if " " <= c <= "~" else "?" for c in night.name)[:60] or "unknown"
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    with fits.open(source, memmap=False) as hdus:
        hdus[0].header[ADOPTED_KEY] = (name, "night that this master is of")
        with atomic_write(entry.path, durable=True) as stream:
            hdus.writeto(stream, output_verify="silentfix")
    return entry.path


def _check_fits(
    source: Path, cards: Any, entry: MasterEntry, found: tuple[int, int], shape: tuple[int, int] | None
) -> None:
    """Refuse a file that is plainly no master for this purpose."""
    advice = f"Choose a master {entry.title}."
    mtype = str(cards.get("MSTTYPE", "") or entry.mtype)
    key = str(cards.get("MSTKEY", "") or (cards.get("FILTER", "") if entry.mtype == "flat" else "") or entry.key)
    if (mtype, key) != entry.ident:
        raise FrameError(source, f"it is a master {mtype} {key}", advice)
    if shape is not None and tuple(found) != tuple(shape):
        raise FrameError(
            source, f"it is {found[1]} x {found[0]} px, the frames of this night are {shape[1]} x {shape[0]} px", advice
        )
