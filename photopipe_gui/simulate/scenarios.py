"""Nights to validate the reduction on: an easy one, and the kinds of hard ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import UsageError
from ..instruments import registry
from ..reduction.catalogs.bands import band_of
from .levels import FRINGES, HABITS


@dataclass(frozen=True)
class Scenario:
    """A kind of night: what it is in a few words, and the fields of `NightOptions` that make it."""

    about: str
    options: Mapping[str, Any]


_ROUGH = {"rotation": 3.0, "scale": 0.02, "catalog_missing": 0.3, "catalog_false": 0.3}

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "clear": Scenario("a clear night, an ordinary field", {}),
        "cloudy": Scenario("transparency between 0.1 and 1", {"sky": "cloudy"}),
        "crowded": Scenario("a field in the Milky Way", {"field": "crowded"}),
        "sparse": Scenario("few stars", {"field": "sparse"}),
        "extended": Scenario("a galaxy over a third of the frame", {"field": "extended"}),
        "mirrored": Scenario("the sky is mirrored against what the header says", {"mirrored": True}),
        "pointing": Scenario(
            "a useless pointing: 2' to 4' off, turned by some 3 degrees, scale off by some 2 %, a third of the "
            "catalogue missing and as many false stars",
            {"pointing_offset": 240.0, "pointing_jitter": 5.0, **_ROUGH},
        ),
        "bad-seeing": Scenario("2.5 times the usual seeing", {"seeing": 2.5}),
        "undersampled": Scenario("seeing of 1.7 pixels", {"seeing": 1.7}),
        "fringes": Scenario(
            "fringes three times as strong, a steep gradient and, in the infrared, a drifting sky; red filters alone",
            {"fringes": 3.0, "gradient": 0.06},
        ),
    }
)
#: Nights small enough for a check between two changes.
QUICK: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "ratir": {"filters": ("r", "Z", "J")},
        "lmi": {"filters": ("SDSS-R",)},
        "rimas": {"filters": ("J",), "size": 0.45},
    }
)


def night_options(instrument: str, scenario: str, quick: bool = False) -> dict[str, Any]:
    """Return the keyword arguments of `simulate_night` for a scenario.

    Parameters
    ----------
    instrument : str
        ``ratir``, ``lmi`` or ``rimas``.
    scenario : str
        One of `SCENARIOS`.
    quick : bool
        Fewer frames and filters, and for LMI and RIMAS a part of the detector.

    Raises
    ------
    UsageError
        For an unknown instrument or scenario.
    """
    known = registry.get(instrument)
    if scenario not in SCENARIOS:
        raise UsageError(f"There is no scenario {scenario!r}; there are {', '.join(SCENARIOS)}.")
    options: dict[str, Any] = {"size": "full"}
    if quick:
        options = {"size": "small", "n_science": 5, **QUICK.get(known.name, {})}
    if isinstance(options["size"], float):
        options |= {"n_bias": 5, "n_dark": 5, "n_flat": 10}
    options |= SCENARIOS[scenario].options
    if scenario == "bad-seeing":
        options["seeing"] = 2.5 * HABITS[known.name].seeing
    if scenario == "undersampled":
        options["seeing"] = 1.7 * min(camera.scale for camera in known.cameras) * (2 if known.name == "lmi" else 1)
    if scenario == "fringes":
        red = [name for name in HABITS[known.name].filters if band_of(name) in FRINGES]
        options["filters"] = tuple(name for name in options.get("filters", ()) if name in red) or tuple(red)
    return options
