"""What the making of master frames takes and gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..params import option

MasterType = Literal["bias", "dark", "flat"]
MASTER_TYPES: tuple[MasterType, ...] = ("bias", "dark", "flat")


@dataclass(frozen=True, slots=True)
class MasterParams:
    """How master frames are combined."""

    method: str = option(
        "clip",
        "Combination: median (as PhotoPipe), sigma-clipped mean (measured nearest to the truth) or winsorised mean.",
        choices=("median", "clip", "winsor"),
    )
    sigma_low: float = option(
        3.0, "Values further below the median are rejected (clip, winsor).", unit="sigma", low=1.0, high=20.0
    )
    sigma_high: float = option(
        3.0, "Values further above the median are rejected (clip, winsor).", unit="sigma", low=1.0, high=20.0
    )
    fmin: int = option(5, "Fewest frames for a master without asking.", unit="frames", low=1, high=10000)
    memory_limit: int = option(512, "Memory for the images in work.", unit="MB", low=16, high=1 << 20, advanced=True)
    workers: int = option(0, "Threads; 0 for one per processor.", low=0, high=1024, advanced=True)


@dataclass(frozen=True, slots=True)
class MasterInput:
    """What one frame gave to a master.

    Attributes
    ----------
    path : Path
        The frame.
    median : float
        Flat: median in DN after bias and dark were subtracted, what the frame is divided by. Bias and dark: median in
        DN as read, over 32 rows spread over the frame.
    scale : float
        What the frame was divided by: its median (flat), its exposure time in s (dark), 1 (bias).
    n_rejected : int
        Pixels rejected (or pulled in, winsorised) as outliers.
    outlier_fraction : float
        Fraction of pixels more than 6 sigma from the master, sigma the noise of one frame.
    mean_residual : float
        Mean of (input - master) / sigma.
    problem : str
        Why the frame was left out; empty when it was used.
    """

    path: Path
    median: float = math.nan
    scale: float = math.nan
    n_rejected: int = 0
    outlier_fraction: float = math.nan
    mean_residual: float = math.nan
    problem: str = ""

    @property
    def used(self) -> bool:
        """Whether the frame is in the master."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class MasterResult:
    """What became of one master.

    Attributes
    ----------
    key : str
        Camera (``C0``) for bias and dark, filter for flat.
    mtype : str
        ``bias``, ``dark`` or ``flat``.
    path : Path or None
        The master; None when there is none.
    problem : str
        Why there is none, in a sentence; empty when there is one.
    inputs : tuple of MasterInput
        All frames given, those left out with their reason.
    seconds : float
        Time it took.
    needs_confirmation : bool
        There are fewer than ``fmin`` frames: it is made when it is called again confirmed.
    reused : bool
        The master was there already, made from the same inputs in the same way.
    values : mapping
        ``MEDIAN``, ``RSIGMA``, ``NREJECT``, ``NCOMBINE``, and ``RDNOISE`` (e-) of a bias where it could be measured.
    """

    key: str
    mtype: str
    path: Path | None = None
    problem: str = ""
    inputs: tuple[MasterInput, ...] = ()
    seconds: float = 0.0
    needs_confirmation: bool = False
    reused: bool = False
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_used(self) -> int:
        """Number of frames in the master."""
        return sum(item.used for item in self.inputs)
