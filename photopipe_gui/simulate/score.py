"""Comparing a reduced night with its truth, and saying the result in a few lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .score_coadd import CoaddScore, score_coadd
from .score_frames import (
    AstrometryScore,
    CosmicScore,
    ZeroPointScore,
    score_astrometry,
    score_cosmics,
    score_zero_point,
)
from .score_masters import MasterScore, score_master
from .truth import Truth

__all__ = [
    "AstrometryScore",
    "CoaddScore",
    "CosmicScore",
    "MasterScore",
    "NightScore",
    "ZeroPointScore",
    "score_astrometry",
    "score_coadd",
    "score_cosmics",
    "score_master",
    "score_night",
    "score_zero_point",
]


@dataclass(frozen=True)
class NightScore:
    """All of a night."""

    astrometry: tuple[AstrometryScore, ...]
    zero_points: tuple[ZeroPointScore, ...]
    cosmics: tuple[CosmicScore, ...]
    masters: tuple[MasterScore, ...]
    coadds: tuple[CoaddScore, ...]

    def summary(self) -> str:
        """Return a few lines of plain text."""
        return "\n".join(_lines(self))


def _known(paths: Iterable[Path], truth: Truth) -> list[Path]:
    """Products of frames of the night."""
    known = []
    for path in sorted(paths):
        try:
            truth.frame(path.name)
        except KeyError:
            continue
        known.append(path)
    return known


def score_night(truth: Truth, night: Path | str | None = None) -> NightScore:
    """Score whatever a reduced night has: masters, ``z``, ``a`` and ``t`` products, coadds.

    Parameters
    ----------
    truth : Truth
    night : path, optional
        Night that holds ``calibration``, ``reduced`` and ``coadd``; the simulated one by default.
    """
    night = Path(night) if night is not None else truth.night
    reduced = night / "reduced"
    zpoint = _known(reduced.glob("t*.fits"), truth)
    solved = zpoint or _known(reduced.glob("a*.fits"), truth)
    cleaned = _known(reduced.glob("z*.fits"), truth)
    made = sorted((night / "calibration").glob("*_*.fits"))
    masters = [path for path in made if (truth.folder / path.name).exists()]
    stacked = sorted((night / "coadd").glob("coadd*.fits"))
    coadds = [path for path in stacked if not path.name.endswith((".weight.fits", ".cat.fits"))]
    return NightScore(
        tuple(score_astrometry(path, truth) for path in solved),
        tuple(score_zero_point(path, truth) for path in zpoint),
        tuple(score_cosmics(path, truth) for path in cleaned),
        tuple(score_master(path, truth) for path in masters),
        tuple(score_coadd(path, truth) for path in coadds),
    )


def _lines(score: NightScore) -> list[str]:
    lines = []
    for master in score.masters:
        lines.append(
            f"{master.kind} {master.key}: {master.inputs} frames, error {master.rms:.4g}, {master.ratio:.2f} of the "
            f"best, offset {master.offset:.3g}, {master.outliers:.2e} of pixels off"
        )
    for name in sorted({frame.filter for frame in score.astrometry}):
        medians = np.array([frame.median for frame in score.astrometry if frame.filter == name])
        lines.append(
            f"astrometry {name}: {len(medians)} frames, median error {np.median(medians):.3f} px, worst frame "
            f"{medians.max():.3f} px"
        )
    for name in sorted({frame.filter for frame in score.zero_points}):
        errors = np.array([frame.error for frame in score.zero_points if frame.filter == name])
        known = errors[np.isfinite(errors)]
        middle, worst = (np.median(known), np.abs(known).max()) if known.size else (np.nan, np.nan)
        lines.append(f"zero points {name}: {len(known)} of {len(errors)} frames, median error {middle:+.4f} mag, "
                     f"worst {worst:.4f} mag")  # fmt: skip
    if score.cosmics:
        lines.append(_cosmic_line(score.cosmics))
    for coadd in score.coadds:
        lines.append(
            f"coadd {coadd.filter}: {coadd.frames} frames, {coadd.stars} stars, photometry {coadd.offset:+.4f} mag, "
            f"scatter {coadd.scatter:.4f} mag, positions {coadd.position:.3f} px, FWHM {coadd.fwhm:.2f} px"
        )
    return lines


def _cosmic_line(cosmics: tuple[CosmicScore, ...]) -> str:
    def total(name: str) -> int:
        return sum(int(getattr(frame, name)) for frame in cosmics)

    return (
        f"cosmic rays: {total('found')} of {total('hits')} hits over 10 sigma found, "
        f"{total('false_pixels') / max(total('total'), 1):.2e} of pixels false, "
        f"{total('star_pixels_touched')} of {total('star_pixels')} star pixels touched"
    )
