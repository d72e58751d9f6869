"""The rules by which frames are kept or rejected; the observer's own verdict always wins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import UsageError
from ..measure import FrameStats
from ..selection import Selection, Verdict
from ..table import FrameRow, FrameTable


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on a frame's median, as fractions of the saturation level, and whether saturated pixels reject it.

    A frame is kept when its median lies strictly between ``amin`` and ``amax``; 0 and 1 set no limit.
    ``allowed_saturated`` is the number of saturated pixels that ``reject_sat`` still lets pass.
    """

    amin: float = 0.0
    amax: float = 1.0
    reject_sat: bool = False
    allowed_saturated: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.amin <= 1 and 0 <= self.amax <= 1):
            raise UsageError(f"amin and amax are fractions of saturation, 0 to 1, not {self.amin:g} and {self.amax:g}.")
        if self.amin >= self.amax:
            raise UsageError(f"amin ({self.amin:g}) must be below amax ({self.amax:g}).")


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


def judge(row: FrameRow, stats: FrameStats | None, limits: Limits) -> Verdict:
    """Return the verdict of the rules on one row, with its reason in words."""
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
    if limits.reject_sat and stats.n_saturated > limits.allowed_saturated:
        pixels = "1 saturated pixel" if stats.n_saturated == 1 else f"{stats.n_saturated} saturated pixels"
        return Verdict(False, "rule", f"SATURATED: {pixels}")
    return Verdict(True)


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
    for row in table:
        by_rule = judge(row, stats.get(row.frame_id), limits.get(row.ftype, DEFAULT_LIMITS[row.ftype]))
        if row.frame_id in hand:
            keep = hand[row.frame_id]
            note = "kept by hand" if keep else "rejected by hand"
            if keep and not by_rule.keep:
                note += f"; the rule says {by_rule.reason}"
            verdicts[row.frame_id] = Verdict(keep, "hand", note)
        else:
            verdicts[row.frame_id] = by_rule
    return Selection(verdicts)
