"""Cosmic rays: straight muon tracks, the curled worms of stopped electrons, and spots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Electrons freed per micron of path by a minimum-ionising particle in silicon.
ELECTRONS_PER_MICRON = 80.0
_DIFFUSION = 0.42
_WORM_SHARE, _SPOT_SHARE = 0.25, 0.20
_STEP = 0.25


@dataclass(frozen=True)
class Hits:
    """What cosmic rays left in a frame: one entry for each pixel and hit.

    ``rows`` and ``columns`` are pixels of the raw frame, ``electrons`` the charge, ``hit`` the number of the hit.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    electrons: NDArray[np.float32]
    hit: NDArray[np.int32]
    count: int


def _path(
    rng: np.random.Generator, pitch: float, depth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Draw one particle's path: x and y (px, from 0) and the electrons freed at each point."""
    kind = rng.uniform()
    azimuth = rng.uniform(0, 2 * np.pi)
    if kind < _SPOT_SHARE:
        return np.zeros(1), np.zeros(1), rng.lognormal(np.log(900.0), 0.8, 1)
    if kind < _SPOT_SHARE + _WORM_SHARE:
        steps = int(rng.integers(10, 90))
        heading = azimuth + np.cumsum(rng.normal(0, 0.28, steps))
        x, y = np.cumsum(np.cos(heading)) * _STEP, np.cumsum(np.sin(heading)) * _STEP
        # An electron frees more charge as it slows down: the last part of the worm is the brightest.
        charge = ELECTRONS_PER_MICRON * pitch * _STEP * (0.6 + 1.8 * np.linspace(0, 1, steps) ** 3)
        return x, y, charge * rng.gamma(6.0, 1 / 6.0, steps)
    # Muons: the zenith angle's cosine goes as cos^2; the length in the detector is depth / cos.
    cosine = max(rng.uniform() ** (1 / 3), 0.04)
    length = depth * np.sqrt(1 - cosine**2) / cosine / pitch
    steps = max(int(length / _STEP), 1)
    along = np.linspace(0, length, steps) if steps > 1 else np.zeros(1)
    path_micron = depth / cosine
    straggling = rng.gamma(4.0, 0.25) + rng.pareto(3.0, steps) * 0.2
    charge = ELECTRONS_PER_MICRON * path_micron / steps * straggling
    return along * np.cos(azimuth), along * np.sin(azimuth), charge


def _deposit(x: NDArray[np.float64], y: NDArray[np.float64], charge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread a path's charge over a small image by diffusion; the path lies at least 2 px inside of it."""
    from scipy.special import erf

    ny, nx = int(y.max()) + 4, int(x.max()) + 4
    root = np.sqrt(2) * _DIFFUSION
    edges_x = erf((np.arange(nx + 1)[None, :] - 0.5 - x[:, None]) / root)
    edges_y = erf((np.arange(ny + 1)[None, :] - 0.5 - y[:, None]) / root)
    weight_x, weight_y = np.diff(edges_x, axis=1) / 2, np.diff(edges_y, axis=1) / 2
    image: NDArray[np.float64] = (weight_y * charge[:, None]).T @ weight_x
    return image


def cosmic_rays(
    rng: np.random.Generator, shape: tuple[int, int], mean_count: float, pitch: float, depth: float
) -> Hits:
    """Draw the cosmic rays of one exposure.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the detector.
    mean_count : float
        Mean number of particles in the exposure.
    pitch, depth : float
        Pixel pitch and depth of the detector, micron.

    Returns
    -------
    Hits
        Pixels with more than 15 electrons.
    """
    count = int(rng.poisson(mean_count))
    rows, columns, electrons, labels = [], [], [], []
    for number in range(count):
        x, y, charge = _path(rng, pitch, depth)
        phase_x, phase_y = rng.uniform(1.5, 2.5, 2)
        image = _deposit(x - x.min() + phase_x, y - y.min() + phase_y, charge)
        place_x, place_y = int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0]))
        image = rng.poisson(image).astype(np.float32)
        j, i = np.nonzero(image > 15)
        on = (j + place_y < shape[0]) & (i + place_x < shape[1])
        rows.append(j[on] + place_y)
        columns.append(i[on] + place_x)
        electrons.append(image[j[on], i[on]])
        labels.append(np.full(int(on.sum()), number))

    def joined(parts: list[NDArray[np.int64]], dtype: type) -> NDArray[np.int32]:
        return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

    return Hits(
        joined(rows, np.int32), joined(columns, np.int32),
        np.concatenate(electrons).astype(np.float32) if electrons else np.zeros(0, np.float32),
        joined(labels, np.int32), count,
    )  # fmt: skip
