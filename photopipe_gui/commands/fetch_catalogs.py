"""``photopipe-gui fetch-catalogs``: reference catalogues before the night goes where there is no network."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import NightError
from .common import Cams, InstrumentName, Night, Quiet, cameras, night_folder, working
from .session import DONE, FRAMES_LOST

HELP = """Asks for positions (Gaia DR3) and magnitudes (by filter: SDSS, Pan-STARRS1, APASS, 2MASS) round every
pointing of the night's science frames, and keeps the answers in the user's cache, where reduce finds them, with
--offline too."""


def command(
    night: Night,
    instrument: InstrumentName = "",
    cams: Cams = None,
    nogaia: Annotated[bool, typer.Option("--nogaia", help="Do not ask Gaia.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that a service is given to answer.", min=1.0)] = 30.0,
    quiet: Quiet = False,
) -> int:
    """Fetch catalogues."""
    from ..reduction.catalogs.config import CatalogConfig
    from ..reduction.catalogs.fetch import fetch
    from ..reduction.fields import fields_of
    from ..reduction.night import open_for_work
    from .summary import print_table

    folder = night_folder(night)
    with working(quiet) as (reporter, _):
        opened = open_for_work(folder, instrument, cameras(cams), reporter)
        fields, filters = fields_of(opened.instrument, opened.table)
        if not fields:
            raise NightError(f"No science frame of {folder.name} says where it points, so no catalogue can be fetched.")
        fetched = fetch(CatalogConfig(nogaia=nogaia, timeout=timeout), fields, filters, reporter)
    rows = [
        (one.survey, f"{one.ra:.4f}", f"{one.dec:+.4f}", f"{60 * one.radius_deg:.1f}", str(one.stars), one.reason)
        for one in fetched
    ]
    print_table(("catalogue", "RA (deg)", "Dec (deg)", "radius (arcmin)", "stars", "from, or why none"), rows)
    return DONE if all(one.stars for one in fetched) else FRAMES_LOST
