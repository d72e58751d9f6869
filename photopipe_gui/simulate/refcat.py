"""Reference catalogues of a simulated sky, with the errors that real ones have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .field import BANDS, EPOCH, SkyField
from .plan import Planner
from .randomness import generator

_COLUMN = {"U": "johnson_U", "R": "cousins_R", "I": "cousins_I"}
_FAINTEST = 21.5
_CUSTOM_BANDS = ("u", "g", "r", "i", "z", "y", "B", "V", "R", "I", "J", "H", "K")


def column_name(band: str) -> str:
    """Return the magnitude column of a band; capitals that FITS could not tell from small letters are spelt out."""
    return _COLUMN.get(band, f"{band}mag")


def true_table(planner: Planner) -> Any:
    """Return the true sources of all targets as an astropy Table."""
    from astropy.table import Table, vstack

    tables = []
    for target in planner.targets:
        field = target.sources
        columns: dict[str, Any] = {
            "target": [target.name] * len(field),
            "ra": field.ra,
            "dec": field.dec,
            "pmra": field.pmra,
            "pmdec": field.pmdec,
            "size": field.size,
        }
        columns.update({band: np.round(field.magnitudes[band], 4) for band in BANDS})
        ra, dec = field.positions(planner.year)
        columns["ra_now"], columns["dec_now"] = ra, dec
        tables.append(Table(columns))
    table = vstack(tables)
    table.meta.update({"epoch": EPOCH, "year": planner.year})
    return table


def _magnitude_errors(mags: np.ndarray, floor: float) -> np.ndarray:
    """Errors that grow towards the limit of the catalogue."""
    return np.hypot(floor, 0.12 * 10 ** (0.4 * (mags - _FAINTEST)))


def observed_catalog(planner: Planner, field: SkyField, number: int) -> Any:
    """Return what a survey made of a field: some stars missing, some false, some variable, all with noise.

    Returns
    -------
    astropy.table.Table
        ra, dec (deg, at `EPOCH`), pmra, pmdec (mas/yr), ref_epoch, and for each band magnitude and error.
    """
    from astropy.table import Table

    options = planner.options
    rng = generator(planner.seed, "catalogue", number)
    listed = (field.magnitudes["r"] < _FAINTEST) & (rng.uniform(size=len(field)) >= options.catalog_missing)
    known = field.select(listed)
    count = len(known)
    false = rng.poisson(options.catalog_false * count)
    cosine = np.cos(np.radians(known.dec))
    noise = np.hypot(options.catalog_position, 0.08 * 10 ** (0.4 * (known.magnitudes["r"] - _FAINTEST)))
    # The target's magnitude is not known beforehand, and a transient is in no catalogue.
    columns: dict[str, Any] = {
        "ra": known.ra + rng.normal(0, 1, count) * noise / 3600 / cosine,
        "dec": known.dec + rng.normal(0, 1, count) * noise / 3600,
        "pmra": known.pmra + rng.normal(0, 0.3, count),
        "pmdec": known.pmdec + rng.normal(0, 0.3, count),
    }
    if not options.proper_motions:
        columns["pmra"], columns["pmdec"] = np.zeros(count), np.zeros(count)
    varied = np.where(rng.uniform(size=count) < options.catalog_variable, rng.normal(0, 0.4, count), 0.0)
    like = rng.integers(0, max(count, 1), false) if count else np.zeros(0, int)
    extra = {
        "ra": rng.uniform(known.ra.min(), known.ra.max(), false) if count else np.zeros(0),
        "dec": rng.uniform(known.dec.min(), known.dec.max(), false) if count else np.zeros(0),
        "pmra": np.zeros(false),
        "pmdec": np.zeros(false),
    }
    table = Table({key: np.append(values, extra[key]) for key, values in columns.items()})
    table["ref_epoch"] = EPOCH
    for band in BANDS:
        true = known.magnitudes[band]
        error = _magnitude_errors(true, options.catalog_magnitude)
        seen = true + varied + rng.normal(0, 1, count) * error
        name = column_name(band)
        table[name] = np.append(seen, true[like])
        table[f"e_{name}"] = np.append(error, error[like])
    return table


def write_catalogs(planner: Planner, folder: Path) -> None:
    """Write ``stars.ecsv`` (the truth), ``refcat.fits`` and ``custom.txt`` (what a survey knows of it)."""
    from astropy.table import vstack

    from ..reduction.fitsio import atomic_write, write_text

    truth = true_table(planner)
    for name in truth.colnames:
        if truth[name].dtype.kind == "f":
            truth[name].info.format = ".8f" if name.startswith(("ra", "dec")) else ".4f"
    truth.write(folder / "stars.ecsv", format="ascii.ecsv", overwrite=True)
    catalog = vstack([observed_catalog(planner, target.sources, n) for n, target in enumerate(planner.targets)])
    with atomic_write(folder / "refcat.fits") as stream:
        catalog.write(stream, format="fits")
    write_text(folder / "custom.txt", custom_text(catalog))


def custom_text(catalog: Any) -> str:
    """Return a catalogue in the text format of ``customcat``: one header line, 29 columns, ``z_err`` among them."""
    names = ["ra", "dec", *_CUSTOM_BANDS, *(f"{band}_err" for band in _CUSTOM_BANDS), "mode"]
    columns = [np.char.mod("%.7f", np.asarray(catalog[key])) for key in ("ra", "dec")]
    columns += [np.char.mod("%.4f", np.asarray(catalog[column_name(band)])) for band in _CUSTOM_BANDS]
    columns += [np.char.mod("%.4f", np.asarray(catalog[f"e_{column_name(band)}"])) for band in _CUSTOM_BANDS]
    columns.append(np.full(len(catalog), "0"))
    rows = [" ".join(row) for row in zip(*columns, strict=True)]
    return "\n".join([" ".join(names), *rows]) + "\n"
