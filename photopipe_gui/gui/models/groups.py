"""How the frames of a night are grouped: type, camera, filter, exposure; with kept and total."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...reduction.selection import Verdict
from ...reduction.table import FrameRow

#: Order of the types in the tree: as an observer works.
TYPE_ORDER = ("bias", "dark", "flat", "object")
TYPE_TITLES = {"bias": "Bias", "dark": "Dark", "flat": "Flat", "object": "Science"}

#: Type, camera, filter (empty for bias and dark), exposure in s; shorter keys are whole branches.
GroupKey = tuple[str | int | float, ...]


def key_of(row: FrameRow) -> GroupKey:
    """Return the full group key of a row."""
    plain = row.ftype in ("bias", "dark")
    exposure = -1.0 if math.isnan(row.exptime) else round(row.exptime, 3)
    return (row.ftype, row.camera, "" if plain else row.filter, exposure)


def contains(group: GroupKey, row: FrameRow) -> bool:
    """Return whether a row belongs to a branch; the empty key is the whole night."""
    return key_of(row)[: len(group)] == tuple(group)


@dataclass
class Group:
    """A branch of the tree.

    Attributes
    ----------
    key : GroupKey
    label : str
        ``Flat``, ``C1 · i``, ``10 s``.
    kept, total, by_hand, measured : int
    children : list of Group
    parent : Group or None
    """

    key: GroupKey
    label: str
    parent: Group | None = None
    children: list[Group] = field(default_factory=list)
    kept: int = 0
    total: int = 0
    by_hand: int = 0
    ids: list[str] = field(default_factory=list)

    def state(self, fmin: int) -> str:
        """Return ``enough``, ``few`` (fewer kept than ``fmin``) or ``none``; science frames need one."""
        need = 1 if self.key and self.key[0] == "object" else fmin
        if self.key and len(self.key) == 1 and self.children:
            readable = [child for child in self.children if self.key[0] in ("bias", "dark") or child.key[2]]
            states = [child.state(fmin) for child in readable or self.children]
            return min(states, key=("none", "few", "enough").index)
        return "enough" if self.kept >= need else "few" if self.kept else "none"

    def count(self, verdicts: Mapping[str, Verdict]) -> None:
        """Count kept and set-by-hand frames anew, here and below."""
        self.kept = sum(1 for name in self.ids if name in verdicts and verdicts[name].keep)
        self.by_hand = sum(1 for name in self.ids if name in verdicts and verdicts[name].by == "hand")
        for child in self.children:
            child.count(verdicts)


def exposure_label(exposure: float) -> str:
    """Return an exposure time as shown in the tree."""
    return "no EXPTIME" if exposure < 0 else f"{exposure:g} s"


def _leaf_label(camera: int, filter_name: str, plain: bool) -> str:
    """A flat or science frame without a filter could not be read."""
    if plain:
        return f"C{camera}"
    return f"C{camera} · {filter_name or 'unreadable'}"


def build_groups(rows: Iterable[FrameRow]) -> Group:
    """Return the root of the tree; an exposure level appears only where exposures are mixed."""
    leaves: dict[GroupKey, list[str]] = {}
    for row in rows:
        leaves.setdefault(key_of(row), []).append(row.frame_id)
    root = Group((), "Night")
    for ftype in TYPE_ORDER:
        keys = [key for key in leaves if key[0] == ftype]
        if not keys:
            continue
        branch = Group((ftype,), TYPE_TITLES[ftype], root)
        root.children.append(branch)
        for pair in sorted({key[1:3] for key in keys}):
            node = Group((ftype, *pair), _leaf_label(int(pair[0]), str(pair[1]), ftype in ("bias", "dark")), branch)
            branch.children.append(node)
            exposures = sorted(float(key[3]) for key in keys if key[1:3] == pair)
            for exposure in exposures:
                ids = leaves[(ftype, *pair, exposure)]
                node.ids += ids
                if len(exposures) > 1:
                    child = Group((ftype, *pair, exposure), exposure_label(exposure), node)
                    child.ids, child.total = ids, len(ids)
                    node.children.append(child)
            node.total = len(node.ids)
            branch.ids += node.ids
        branch.total = len(branch.ids)
        root.ids += branch.ids
    root.total = len(root.ids)
    return root


def kept_sentence(root: Group) -> str:
    """Return what is kept of each branch, for the observer: ``By the rules: flat C1 · i 8 of 14 kept.``."""
    parts = [
        f"{branch.label.lower()} {node.label} {node.kept} of {node.total}"
        for branch in root.children
        for node in branch.children
    ]
    if not parts:
        return "There are no frames to select."
    hand = f" {root.by_hand} set by hand stay as they are." if root.by_hand else ""
    return f"By the rules: {', '.join(parts)} kept.{hand}"
