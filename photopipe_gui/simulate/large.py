"""Nights of hundreds or thousands of frames that cost little to make, for lists and benchmarks."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..instruments.cards import Area
from .faults import fits_bytes
from .options import make_options
from .plan import Planner
from .randomness import generator

_BLOCKS = 4


def large_night(
    folder: Path | str, n: int = 2000, shape: tuple[int, int] | None = None, *, instrument: str = "ratir", seed: int = 1
) -> list[Path]:
    """Write n valid raw frames of one camera: a tenth bias, a tenth dark, a fifth flat, the rest object.

    The pixels are noise about the level of the type, from a few blocks that frames share (rolled by rows), so that a
    frame costs little more than writing it; headers, times and levels are each frame's own.

    Parameters
    ----------
    n : int
        Frames.
    shape : tuple of int, optional
        Rows and columns; the camera's own by default. RATIR's science area needs its 1024 x 1024.

    Returns
    -------
    list of Path
        The frames.

    Raises
    ------
    UsageError
        When n is not positive.
    """
    from ..instruments import registry
    from .headers import WRITERS, raw_name

    if n < 1:
        raise UsageError(f"A night of {n} frames cannot be made.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    known = registry.get(instrument)
    camera = known.cameras[1] if known.name == "ratir" else known.cameras[0]
    options = make_options(known, 1.0, cameras=(camera.number,))
    planner = Planner(folder, folder / "truth", known.name, seed, options)
    detector = replace(planner.detector(camera), shape=shape or camera.shape)
    rng = generator(seed, "large")
    noise = [rng.normal(0, 6, detector.shape).astype(np.int16) for _ in range(_BLOCKS)]
    name = planner.filters(camera)[0]
    # LMI takes no darks: its headers know no such type.
    counts = {"bias": max(n // 10, 1), "dark": 0 if known.name == "lmi" else n // 10, "flat": n // 5}
    counts["object"] = max(n - sum(counts.values()), 0)
    kinds = [kind for kind, count in counts.items() for _ in range(count)][:n]
    ny, nx = detector.shape
    science = Area(3, ny - 11, 27, nx - 4) if known.name == "lmi" else Area(0, ny, 0, nx)
    pedestal = detector.levels.bias / detector.software_gain
    start = datetime.datetime.fromisoformat(planner.habit.date)
    paths = []
    for number, kind in enumerate(kinds):
        share = number / max(n, 1)
        level = {"bias": pedestal, "dark": pedestal + 8, "object": pedestal + 40 + 20 * np.sin(40 * share),
                 "flat": detector.saturation * (1.0 - 2.7 * (share - 0.2))}[kind]  # fmt: skip
        exptime = {"bias": 0.0, "dark": 80.0, "flat": 10.0, "object": 60.0}[kind]
        begin = start + datetime.timedelta(seconds=12 * number)
        exposure = replace(planner.exposure(camera, kind, begin, exptime, name, number + 1, ra=200.0, dec=20.0,
                                            target=f"2013A-1{number % 5:03d}-vis1", aperture="ricenter"),
                           shape=detector.shape, science=science)  # fmt: skip
        values = np.roll(noise[number % _BLOCKS], int(rng.integers(0, detector.shape[0])), axis=0) + np.int32(level)
        header, pixels = fits_bytes(np.clip(values, 0, int(detector.ceiling)), WRITERS[known.name](exposure))
        path = folder / raw_name(exposure)
        with path.open("wb") as stream:
            stream.write(header)
            stream.write(pixels)
        paths.append(path)
    return paths
