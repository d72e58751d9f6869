"""The custom text table of reference magnitudes that autoproc's ``customcat`` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .columns import as_floats, catalog_from_columns
from .local import read_text
from .model import ReferenceCatalog

_BANDS = ("u", "g", "r", "i", "z", "y", "B", "V", "R", "I", "J", "H", "K")
_VEGA = ("J", "H", "K")
_WITH_Z_ERR = ("ra", "dec", *_BANDS, *(f"{band}_err" for band in _BANDS), "mode")
_WITHOUT_Z_ERR = tuple(name for name in _WITH_Z_ERR if name != "z_err")


def read_custom(path: Path | str) -> ReferenceCatalog:
    """Read the custom table: magnitudes AB, except J H K (2MASS, Vega); missing ones blank, NaN, 99 or -99.

    Columns are taken by the names of the header line. A table without names must have the 29 columns of the published
    layout (with ``z_err`` between ``i_err`` and ``y_err``) or 28 without ``z_err``; each with or without ``mode``.

    Raises
    ------
    UsageError
        When it cannot be read or lacks positions; says what would help.
    """
    path = Path(path).expanduser()
    try:
        rows = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"The custom catalogue {path} cannot be read ({error.strerror}).") from error
    if not rows:
        raise UsageError(f"The custom catalogue {path} is empty.")
    names = rows[0].lstrip("#! ").replace(",", " ").split()
    if "ra" not in [name.lower() for name in names]:
        columns = _by_position(path, rows)
    elif _z_err_unnamed(names, rows):
        at = names.index("i_err") + 1
        columns = _by_names([*names[:at], "z_err", *names[at:]], rows[1:])
    else:
        columns = read_text(path)
    catalog = catalog_from_columns(path.name, columns)
    return ReferenceCatalog(
        catalog.name, catalog.ra, catalog.dec, catalog.pmra, catalog.pmdec, catalog.epoch, catalog.magnitudes,
        {band: "Vega" if band in _VEGA else "AB" for band in catalog.magnitudes},
    )


def _cells(rows: list[str]) -> list[list[str]]:
    return [row.replace(",", " ").split() for row in rows if row.strip() and not row.lstrip().startswith("#")]


def _z_err_unnamed(names: list[str], rows: list[str]) -> bool:
    """Return True when the rows have the z_err column that the published header line leaves out."""
    cells = _cells(rows[1:2])
    return "i_err" in names and "z_err" not in names and bool(cells) and len(cells[0]) == len(names) + 1


def _by_names(names: list[str], rows: list[str]) -> dict[str, NDArray[Any]]:
    cells = [row for row in _cells(rows) if len(row) == len(names)]
    return {name: np.array([row[n] for row in cells]) for n, name in enumerate(names)}


def _by_position(path: Path, rows: list[str]) -> dict[str, NDArray[Any]]:
    """Read a table without column names by the order of the published layout."""
    cells = [row for row in _cells(rows) if np.isfinite(as_floats(row[:2])).all()]
    width = len(cells[0]) if cells else 0
    for layout in (_WITH_Z_ERR, _WITHOUT_Z_ERR, _WITH_Z_ERR[:-1]):
        if width == len(layout):
            return {name: np.array([row[n] for row in cells if len(row) == width]) for n, name in enumerate(layout)}
    raise UsageError(f"The custom catalogue {path} has {width} columns and no names; its first line must name them: "
                     f"{' '.join(_WITH_Z_ERR)}.")
