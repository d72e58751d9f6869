"""Telling an extended object from the sky by the dithers: the sky stays on the detector, the object on the stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .background import CellMap, fill_cells, fit_surface

Floats = NDArray[np.float64]

_FEWEST_FRAMES = 4
_BRIGHTEST = 80
_BIN = 4.0
_FEWEST_STARS = 5
_RIDGE = 0.01
_ROUNDS = 4
_BETTER, _MUCH_BETTER, _MANY_FRAMES = 1.2, 1.4, 7
_SIGNIFICANT = 3.0
_ONE_SIDED = 2.5
_FEWEST_CELLS = 6


@dataclass(frozen=True)
class Split:
    """An object told from the sky.

    Attributes
    ----------
    objects : ndarray of float64, shape (n, my, mx)
        What the object adds to each cell of each frame, in units of that frame's own sky level; NaN for a frame
        whose dither is unknown.
    before, after : float
        Scatter of the frames' cells about a sky alone, and about sky and object.
    """

    objects: Floats
    before: float
    after: float


def dither_offsets(stars: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Return by how many px each frame's stars lie off the first usable frame's.

    Parameters
    ----------
    stars : sequence of (x, y)
        Positions in each frame, brightest first.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Offsets in y and x: ``position in frame k = position in the reference + offset``; NaN where fewer than five
        stars agree. The differences of all pairs of the 80 brightest are counted in bins of 4 px, and the fullest
        place is refined by the median.
    """
    offsets = np.full((len(stars), 2), np.nan)
    usable = [k for k, (x, _) in enumerate(stars) if len(x) >= _FEWEST_STARS]
    if not usable:
        return offsets
    x0, y0 = (values[:_BRIGHTEST] for values in stars[usable[0]])
    for k in usable:
        x, y = (values[:_BRIGHTEST] for values in stars[k])
        dx, dy = (x[:, None] - x0).ravel(), (y[:, None] - y0).ravel()
        keys, counts = np.unique(np.round(np.stack([dy, dx]) / _BIN), axis=1, return_counts=True)
        centre = keys[:, np.argmax(counts)] * _BIN
        for reach in (1.5 * _BIN, 2.0):
            near = np.hypot(dy - centre[0], dx - centre[1]) < reach
            if near.sum() < _FEWEST_STARS:
                break
            centre = np.array([np.median(dy[near]), np.median(dx[near])])
        else:
            offsets[k] = centre
    return offsets


def split_sky(maps: Sequence[CellMap], offsets: Floats) -> Split | None:
    """Solve for the sky and an object that moves over it with the stars.

    Each frame's map of cells, divided by the frame's level, is taken as ``sky(cell) + object(cell - dither)`` and
    a constant; sky and object are found together by least squares, with a slight preference for no object. What the
    dithers cannot tell, a constant and a slope, is settled by the object's being nothing on its outskirts.

    Parameters
    ----------
    maps : sequence of CellMap
        Of equal shape, compact objects left out; in units of each frame's level.
    offsets : ndarray, shape (n, 2)
        From `dither_offsets`; frames with NaN are left out.

    Returns
    -------
    Split or None
        None when there are fewer than four frames or no dithers, or when an object does not explain the maps better
        than a sky alone by a fifth, or nowhere stands out from the scatter: then there is none.
    """
    known = np.flatnonzero(np.isfinite(offsets).all(axis=1))
    rows, columns = maps[0].rows, maps[0].columns
    if len(known) < _FEWEST_FRAMES or min(len(rows), len(columns)) < 6:
        return None
    step = np.array([np.median(np.diff(rows)), np.median(np.diff(columns))])
    shifts = offsets / step
    spread = shifts[known]
    if np.hypot(*np.ptp(spread, axis=0)) < 0.3:
        return None
    levels = np.stack([cells.level for cells in maps])
    usual = _median_map(levels[known])
    # Divided by their median, so that a slope of the sky is one, whatever the sky's own shape.
    system = _System(levels[known] / usual, spread)
    before = system.scatter_of_sky_alone()
    sky, found = system.solve()
    after = system.scatter(sky, found)
    if not after > 0 or before < (_BETTER if len(known) >= _MANY_FRAMES else _MUCH_BETTER) * after:
        return None
    found = _stands_out(found - _outskirts(found, system.seen), system.seen, after)
    if not found.any():
        return None
    objects = np.full_like(levels, np.nan)
    for k in known:
        objects[k] = _shifted(found, shifts[k], spread.max(axis=0), levels.shape[1:]) * usual
    return Split(objects, before, after)


def _outskirts(found: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return the plane on which the object stands."""
    level = np.where(seen, found, np.nan)
    cells = CellMap(level, level, np.arange(float(level.shape[0])), np.arange(float(level.shape[1])))
    return fit_surface(cells, 1)[0]


def _median_map(levels: Floats) -> Floats:
    """Return the median over the frames of each cell, filled where no frame has it."""
    usual = np.full(levels.shape[1:], np.nan)
    some = np.isfinite(levels).any(axis=0)
    usual[some] = np.nanmedian(levels[:, some], axis=0)
    return np.maximum(fill_cells(usual), 1e-3)


def _stands_out(found: Floats, seen: NDArray[np.bool_], scatter: float) -> Floats:
    """Return the object where it is significant and connected, zero elsewhere; its covered core is filled."""
    from scipy.ndimage import label

    filled = fill_cells(np.where(seen, found, np.nan))
    limit = _SIGNIFICANT * scatter
    if np.percentile(filled, 98) < _ONE_SIDED * -np.percentile(filled, 2):
        return np.zeros_like(found)  # no object goes both ways: the sky has changed between the frames
    groups, count = label(filled > 0.4 * limit)
    inside = np.zeros(found.shape, np.bool_)
    for number in range(1, count + 1):
        group = groups == number
        if np.count_nonzero(filled[group] > limit) >= _FEWEST_CELLS:
            inside |= group
    return np.where(inside, filled, 0.0)


def _corner(shift: Floats, most: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return where the cells of a frame lie on the object's grid, whose origin is the frame of the largest shift."""
    return np.arange(shape[0]) + (most[0] - shift[0]), np.arange(shape[1]) + (most[1] - shift[1])


def _shifted(found: Floats, shift: Floats, most: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the object on a frame's cells, bilinearly."""
    y, x = _corner(shift, most, shape)
    y0 = np.clip(np.floor(y).astype(np.intp), 0, found.shape[0] - 2)
    x0 = np.clip(np.floor(x).astype(np.intp), 0, found.shape[1] - 2)
    fy, fx = (y - y0)[:, None], (x - x0)[None, :]
    upper = found[np.ix_(y0, x0)] * (1 - fx) + found[np.ix_(y0, x0 + 1)] * fx
    lower = found[np.ix_(y0 + 1, x0)] * (1 - fx) + found[np.ix_(y0 + 1, x0 + 1)] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)


class _System:
    """The equations: one for each good cell of each frame."""

    def __init__(self, levels: Floats, shifts: Floats) -> None:
        from scipy.sparse import csr_matrix

        self.levels = levels
        n, my, mx = levels.shape
        most = shifts.max(axis=0)
        extent = np.ceil(most - shifts.min(axis=0)).astype(int)
        self.grid = (my + extent[0] + 1, mx + extent[1] + 1)
        self.good = np.isfinite(levels)
        equations, places, values = [], [], []
        count = 0
        for k in range(n):
            use = self.good[k].ravel()
            lines = count + np.arange(use.sum())
            count += len(lines)
            y, x = _corner(shifts[k], most, (my, mx))
            y0, x0 = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
            fy, fx = np.broadcast_arrays((y - y0)[:, None], (x - x0)[None, :])
            cell = (y0[:, None] * self.grid[1] + x0[None, :]).ravel()[use]
            for dy, dx, weight in ((0, 0, (1 - fy) * (1 - fx)), (0, 1, (1 - fy) * fx), (1, 0, fy * (1 - fx)),
                                   (1, 1, fy * fx)):
                equations.append(lines)
                places.append(my * mx + cell + dy * self.grid[1] + dx)
                values.append(weight.ravel()[use])
            equations += [lines, lines]
            places += [np.flatnonzero(use), np.full(len(lines), my * mx + self.grid[0] * self.grid[1] + k)]
            values += [np.ones(len(lines))] * 2
        unknown = my * mx + self.grid[0] * self.grid[1] + n
        where = (np.concatenate(equations), np.concatenate(places))
        self.matrix = csr_matrix((np.concatenate(values), where), shape=(count, unknown))
        self.data = levels[self.good] - 1.0
        weight = np.asarray(self.matrix.sum(axis=0)).ravel()[my * mx : my * mx + self.grid[0] * self.grid[1]]
        self.seen: NDArray[np.bool_] = (weight > 0.5).reshape(self.grid)

    def scatter_of_sky_alone(self) -> float:
        """Return the robust scatter of the frames about their median sky, each allowed a slope of its own."""
        off = self.levels - np.nanmedian(self.levels, axis=(1, 2), keepdims=True)
        several = np.isfinite(off).sum(axis=0) > 1
        off[:, several] -= np.nanmedian(off[:, several], axis=0)
        off[:, ~several] = np.nan
        for frame in off:
            frame -= _slope(frame)
        return _wide(off)

    def _slopes(self, off: Floats) -> Floats:
        """Return for every equation the plane that fits its frame's residuals: skies change by slopes."""
        frames = np.full(self.levels.shape, np.nan)
        frames[self.good] = off
        return np.stack([np.broadcast_to(_slope(frame), frame.shape) for frame in frames])[self.good]

    def solve(self) -> tuple[Floats, Floats]:
        """Return sky and object; outlying cells are weighted down in a second and third round."""
        from scipy.sparse import diags, vstack
        from scipy.sparse.linalg import lsmr

        n_sky = self.levels.shape[1] * self.levels.shape[2]
        n_object = self.grid[0] * self.grid[1]
        ridge = np.zeros(self.matrix.shape[1])
        ridge[n_sky : n_sky + n_object] = _RIDGE
        weight = np.ones(len(self.data))
        solution = np.zeros(self.matrix.shape[1])
        slopes = np.zeros(len(self.data))
        for _ in range(_ROUNDS):
            full = vstack([diags(weight) @ self.matrix, diags(ridge)]).tocsr()
            data = np.concatenate([weight * (self.data - slopes), np.zeros(len(ridge))])
            solution = lsmr(full, data, atol=1e-8, btol=1e-8, maxiter=600, x0=solution)[0]
            off = self.data - self.matrix @ solution
            slopes = self._slopes(off)
            off -= slopes
            limit = 2.5 * max(_robust(off), 1e-12)
            weight = np.sqrt(np.minimum(1.0, limit / np.maximum(np.abs(off), 1e-15)))
        self.residual = off
        sky = solution[:n_sky].reshape(self.levels.shape[1:])
        return sky, solution[n_sky : n_sky + n_object].reshape(self.grid)

    def scatter(self, sky: Floats, found: Floats) -> float:
        """Return the robust scatter about sky and object, corrected for what was fitted."""
        free = len(self.residual) - len(sky.ravel()) - int(self.seen.sum())
        return float(_wide(self.residual) * np.sqrt(len(self.residual) / max(free, 1)))


def _slope(frame: Floats) -> Floats:
    """Return the plane fitted to a frame's cells (zero when too few are good), outliers left out once."""
    y, x = np.mgrid[-1 : 1 : 1j * frame.shape[0], -1 : 1 : 1j * frame.shape[1]]
    terms = np.stack([np.ones_like(x), x, y], axis=-1)
    plane = np.zeros(frame.shape)
    used = np.isfinite(frame)
    for _ in range(2):
        if used.sum() < 12:
            return plane
        plane = terms @ np.linalg.lstsq(terms[used], frame[used], rcond=None)[0]
        off = frame - plane
        with np.errstate(invalid="ignore"):
            used = np.isfinite(frame) & (np.abs(off) < 3 * max(_robust(off), 1e-12))
    return plane


def _wide(values: Floats) -> float:
    """Return the deviation below which nine of ten values lie: an object may fill a small part of the frame."""
    values = np.abs(values[np.isfinite(values)])
    return float(np.percentile(values, 90)) / 1.645 if len(values) else float("nan")


def _robust(values: Floats) -> float:
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan")
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
