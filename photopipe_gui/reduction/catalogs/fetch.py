"""Fetching the catalogues of a night beforehand, for a site without network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..progress import Progress, Reporter, check_cancelled
from .cache import ConeCache
from .config import CatalogConfig
from .lookup import surveys_for
from .online import SURVEYS, cone


@dataclass(frozen=True)
class Fetched:
    """What became of one catalogue for one position.

    Attributes
    ----------
    survey : str
        Title of the catalogue.
    ra, dec, radius_deg : float
        The cone, in degrees.
    stars : int
        Stars that lie on disk now; 0 when there are none or it failed.
    reason : str
        Where they come from, or why there are none.
    """

    survey: str
    ra: float
    dec: float
    radius_deg: float
    stars: int
    reason: str


def fetch(
    config: CatalogConfig, positions: Iterable[tuple[float, float, float]], bands: Sequence[str], reporter: Reporter
) -> list[Fetched]:
    """Fetch what the astrometry and the zero points of a night will ask for, into the cache.

    Parameters
    ----------
    config : CatalogConfig
        ``offline`` is disregarded; ``nogaia`` is respected.
    positions : iterable of (ra, dec, radius)
        Fields in degrees; fields inside one another cost one query.
    bands : sequence of str
        Filters of the night as its headers name them.
    reporter : Reporter
        Told of progress and of every catalogue (`Fetched`).

    Raises
    ------
    Cancelled
        When the observer stops it; what was fetched stays.
    """
    config = dataclasses.replace(config, offline=False)
    ConeCache(config.cache_dir).forget_silence("vizier")
    keys = ["ps1", "2mass"] if config.nogaia else ["gaia"]
    for name in bands:
        keys += [key for key in surveys_for(name, config) if key not in keys]
    jobs = [(key, *position) for position in dict.fromkeys(positions) for key in keys]
    done: list[Fetched] = []
    for number, (key, ra, dec, radius) in enumerate(jobs):
        check_cancelled(reporter)
        reporter.progress(Progress("fetch catalogues", number, len(jobs), item=SURVEYS[key].title))
        found, reason = cone(config, key, ra, dec, radius)
        stars = 0 if found is None else len(found)
        done.append(Fetched(SURVEYS[key].title, ra, dec, radius, stars, reason))
        reporter.result(done[-1])
    reporter.progress(Progress("fetch catalogues", len(jobs), len(jobs), sum(not one.stars for one in done)))
    return done
