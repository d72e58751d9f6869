"""The rules by which frames are kept or rejected; the observer's own verdict always wins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..measure import MAX_LISTED, FrameStats
from ..selection import Selection, Verdict
from ..table import FrameRow, FrameTable


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on a frame's median, as fractions of the saturation level, and whether saturated pixels reject it.

    A frame is kept when its median lies strictly between ``amin`` and ``amax``; 0 and 1 set no limit.
    """

    amin: float = 0.0
    amax: float = 1.0
    reject_sat: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.amin <= 1 and 0 <= self.amax <= 1):
            raise UsageError(f"amin and amax are fractions of saturation, 0 to 1, not {self.amin:g} and {self.amax:g}.")
        if self.amin >= self.amax:
            raise UsageError(f"amin ({self.amin:g}) must be below amax ({self.amax:g}).")


_LEVEL_RANGE = 1.5

DEFAULT_LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "bias": Limits(),
        "dark": Limits(),
        "flat": Limits(0.2, 0.8),
        "object": Limits(),
    }
)


def percent(fraction: float) -> str:
    """Return a fraction as per cent, with a decimal where it matters."""
    value = 100 * fraction
    return f"{value:.0f} %" if value >= 10 or value == round(value) else f"{value:.1f} %"


def hot_pixels(frames: Sequence[tuple[FrameRow, FrameStats]]) -> NDArray[np.int64]:
    """Return the pixels that are saturated at every light level: hot ones, no reason to reject a frame.

    They can be told only when the group has three frames or more whose medians differ by half or more.

    Parameters
    ----------
    frames : sequence of (FrameRow, FrameStats)
        Frames of one camera, channel and filter.

    Returns
    -------
    ndarray of int64
        Flat indices into the area; empty when nothing can be said.
    """
    usable = [stats for row, stats in frames if not stats.problem and stats.n_saturated <= MAX_LISTED]
    medians = [stats.median for stats in usable]
    none = np.zeros(0, np.int64)
    if len(usable) < 3 or min(medians) <= 0 or max(medians) < _LEVEL_RANGE * min(medians):
        return none
    hot = usable[0].saturated
    for stats in usable[1:]:
        hot = np.intersect1d(hot, stats.saturated, assume_unique=True)
    return hot


def judge(row: FrameRow, stats: FrameStats | None, limits: Limits, n_hot: int = 0) -> Verdict:
    """Return the verdict of the rules on one row, with its reason in words; ``n_hot`` saturated pixels are hot ones."""
    if row.problem:
        return Verdict(False, "rule", f"cannot be used: {row.problem}")
    if stats is None:
        return Verdict(False, "rule", "not measured yet")
    if stats.problem:
        return Verdict(False, "rule", f"cannot be used: {stats.problem}")
    if row.filter.lower() == "blank" and row.ftype in ("flat", "object"):
        return Verdict(False, "rule", "the filter wheel is at blank: no light")
    fraction = stats.median / row.saturation if row.saturation > 0 else math.nan
    if not math.isfinite(fraction):
        return Verdict(False, "rule", "cannot be used: the saturation level is unknown")
    # amin 0 and amax 1 set no limit: a bias may scatter below zero, a full well is judged by reject_sat.
    if limits.amin > 0 and fraction <= limits.amin:
        return Verdict(
            False,
            "rule",
            f"UNDEREXPOSED: median {percent(fraction)} of saturation, not above amin {percent(limits.amin)}",
        )
    if fraction >= 1 or (limits.amax < 1 and fraction >= limits.amax):
        bound = f"not below amax {percent(limits.amax)}" if limits.amax < 1 else "full well"
        return Verdict(False, "rule", f"SATURATED: median {percent(fraction)} of saturation, {bound}")
    n_saturated = stats.n_saturated - n_hot
    if limits.reject_sat and n_saturated > 0:
        pixels = "1 saturated pixel" if n_saturated == 1 else f"{n_saturated} saturated pixels"
        return Verdict(False, "rule", f"SATURATED: {pixels}")
    return Verdict(True)


def _kind(row: FrameRow) -> tuple[str, int, str, str]:
    return row.ftype, row.camera, row.channel, row.filter


def _hot_counts(
    table: FrameTable, stats: Mapping[str, FrameStats], limits: Mapping[str, Limits]
) -> dict[tuple[str, int, str, str], int]:
    """Return the number of hot pixels of each kind of frame that is judged by its saturated pixels."""
    kinds: dict[tuple[str, int, str, str], list[tuple[FrameRow, FrameStats]]] = {}
    for row in table:
        measured = stats.get(row.frame_id)
        if measured is not None and limits.get(row.ftype, DEFAULT_LIMITS[row.ftype]).reject_sat and not row.problem:
            kinds.setdefault(_kind(row), []).append((row, measured))
    return {kind: len(hot_pixels(frames)) for kind, frames in kinds.items()}


def decide(
    table: FrameTable,
    stats: Mapping[str, FrameStats],
    limits: Mapping[str, Limits],
    hand: Mapping[str, bool],
) -> Selection:
    """Return the verdict on every row.

    Parameters
    ----------
    stats : mapping of frame id to FrameStats
        A row without statistics is not kept yet.
    limits : mapping of frame type to Limits
        Missing types take `DEFAULT_LIMITS`.
    hand : mapping of frame id to bool
        The observer's own verdicts: True keeps, False rejects; they win over every rule.
    """
    verdicts = {}
    hot = _hot_counts(table, stats, limits)
    for row in table:
        bounds = limits.get(row.ftype, DEFAULT_LIMITS[row.ftype])
        by_rule = judge(row, stats.get(row.frame_id), bounds, hot.get(_kind(row), 0))
        if row.frame_id in hand:
            keep = hand[row.frame_id]
            note = "kept by hand" if keep else "rejected by hand"
            if keep and not by_rule.keep:
                note += f"; the rule says {by_rule.reason}"
            verdicts[row.frame_id] = Verdict(keep, "hand", note)
        else:
            verdicts[row.frame_id] = by_rule
    return Selection(verdicts)
