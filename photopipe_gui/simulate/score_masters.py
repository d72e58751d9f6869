"""Comparing master frames with the true detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..instruments import registry
from ..reduction.fitsio import read_header, read_pixels
from .levels import DETECTORS
from .plan import software_gain
from .truth import FrameTruth, Truth


@dataclass(frozen=True)
class MasterScore:
    """A master against its truth.

    ``rms`` is the error of a pixel (within 4 sigma; DN, DN/s, or relative for flats), ``best`` that of an optimal
    combination of its input frames, ``outliers`` the share of pixels off by more than 6 times the rms, ``offset`` the
    median error.
    """

    kind: str
    key: str
    inputs: int
    rms: float
    best: float
    offset: float
    outliers: float

    @property
    def ratio(self) -> float:
        """Error in units of the best."""
        return self.rms / self.best if self.best > 0 else math.nan


def _inputs(header: Any, truth: Truth) -> list[FrameTruth]:
    """Frames that a master says it was made of."""
    names = [str(value) for key, value in header.items() if key.startswith("IMCMB")]
    found = []
    for name in names:
        try:
            found.append(truth.frame(name))
        except KeyError:
            continue
    return found


def score_master(path: Path | str, truth: Truth) -> MasterScore:
    """Compare a master (``bias_C0.fits``, ``dark_C1.fits``, ``flat_SDSS-R.fits``) with its truth.

    The best that the frames allow is the noise of their optimally weighted mean: read noise and rounding for bias;
    with the dark current's own noise, and that of the bias next to it, for dark; with the photons' for flats.
    """
    path = Path(path)
    kind, _, key = path.stem.partition("_")
    image = np.asarray(read_pixels(path), dtype=np.float64)
    true = truth.master(kind, key).astype(np.float64)
    inputs = _inputs(read_header(path), truth)
    variances = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for frame in inputs:
            levels = DETECTORS[truth.instrument, frame.camera]
            gain = _gain(truth, frame)
            read = (levels.read_noise / gain) ** 2 + 1 / 12
            if kind == "bias":
                variances.append(np.array(read))
            elif kind == "dark":
                variances.append((read + np.maximum(true, 0) * frame.exptime / gain) / frame.exptime**2)
            else:
                sky = frame.channel(key).sky
                variances.append((read + sky * true / gain) / sky**2 / true**2)
        variance = 1 / sum(1 / v for v in variances) if variances else np.array(math.nan)
        if kind == "dark" and variances:
            biases = len(_inputs(read_header(path.with_name(f"bias_{key}.fits")), truth))
            variance = variance + read / max(biases, 1) / inputs[0].exptime ** 2
        best = np.sqrt(variance)
        good = np.isfinite(image) & (true > 0.3 if kind == "flat" else np.ones(true.shape, bool))
        if kind == "dark":
            # Hot pixels have noise of their own; the level is judged where most pixels are.
            good &= true < np.percentile(true, 95)
        error = (image / true - 1 if kind == "flat" else image - true)[good]
    offset = float(np.median(error))
    rms = _clipped_rms(error - offset)
    typical = float(np.median(np.broadcast_to(best, true.shape)[good]))
    outliers = float((np.abs(error - offset) > 6 * max(rms, 1e-12)).mean())
    return MasterScore(kind, key, len(inputs), rms, typical, offset, outliers)


def _clipped_rms(error: np.ndarray) -> float:
    """Return the rms of what lies within 4 sigma; the median deviation misleads where medians are whole numbers."""
    rms = 1.4826 * float(np.median(np.abs(error)))
    for _ in range(6):
        inside = error[np.abs(error) <= 4 * max(rms, 1e-12)]
        rms = float(np.sqrt(np.mean(inside**2))) if inside.size else rms
    return rms


def _gain(truth: Truth, frame: FrameTruth) -> float:
    return registry.get(truth.instrument).camera(frame.camera).gain / software_gain(truth.instrument, frame.camera)
