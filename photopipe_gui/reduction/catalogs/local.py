"""Reference catalogues from files: FITS table, LDAC, ECSV, CSV, VOTable, text in columns."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ...errors import UsageError
from .bands import band_of, system_of
from .columns import catalog_from_columns
from .model import UNNAMED_BAND, ReferenceCatalog

Columns = dict[str, Any]
Units = dict[str, str]

_GUESSED = {2: ("ra", "dec"), 3: ("ra", "dec", "mag"), 4: ("ra", "dec", "mag", "err")}
_REMEDY = "Give the first line the names of the columns, for instance: ra dec g g_err r r_err."


def read_catalog(path: Path | str) -> ReferenceCatalog:
    """Read a reference catalogue; the format is recognised by its content.

    Columns are found by name without regard to case (see `columns`). A text table without header may have the columns
    ``ra dec``, ``ra dec mag`` or ``ra dec mag err``.

    Returns
    -------
    ReferenceCatalog
        A magnitude whose column names no band is under the key ``''``.

    Raises
    ------
    UsageError
        When the file cannot be read as a table or has no positions; says what would help.
    """
    path = Path(path).expanduser()
    try:
        with path.open("rb") as stream:
            start = stream.read(4096)
    except OSError as error:
        raise UsageError(f"The reference catalogue {path} cannot be read ({error.strerror}).") from error
    if not start.strip():
        raise UsageError(f"The reference catalogue {path} is empty.")
    try:
        columns, units = _read_columns(path, start)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"The reference catalogue {path} cannot be read as a table ({error}). "
                         "Formats: FITS, LDAC, ECSV, CSV, VOTable, text in columns.") from error
    return catalog_from_columns(path.name, columns, units, _origin(path.name, columns))


def _read_columns(path: Path, start: bytes) -> tuple[Columns, Units]:
    head = start.lstrip()
    if start.startswith(b"SIMPLE  ="):
        return _from_fits(path)
    if start.startswith(b"\x1f\x8b"):
        return _from_fits(path)
    if head.startswith(b"<?xml") or b"<VOTABLE" in head:
        return _from_votable(path)
    if re.match(rb"#\s*%ECSV", head):
        return _from_ecsv(path)
    return read_text(path), {}


def _from_fits(path: Path) -> tuple[Columns, Units]:
    """Read the LDAC objects, else the first table that has rows."""
    with fits.open(path, memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)) and hdu.data is not None]
        objects = [hdu for hdu in tables if hdu.name == "LDAC_OBJECTS"]
        candidates = objects or [hdu for hdu in tables if hdu.name != "LDAC_IMHEAD" and len(hdu.data)]
        if not candidates:
            raise UsageError(f"{path.name} is FITS but holds no table with rows; give a catalogue, not an image.")
        table = candidates[0]
        columns: Columns = {}
        for column in table.columns:
            values = np.asarray(table.data[column.name])
            # Vector columns such as MAG_APER: the first aperture.
            columns[column.name] = values.reshape(len(values), -1)[:, 0] if values.ndim > 1 else values
        return columns, {column.name: str(column.unit or "") for column in table.columns}


def _from_votable(path: Path) -> tuple[Columns, Units]:
    from astropy.io.votable import parse_single_table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deviations from the standard are common and harmless here
        table = parse_single_table(str(path), verify="ignore")
        units = {one.name or one.ID: str(one.unit or "") for one in table.fields}
        # In pairs, because VizieR's IDs are made safe while its names keep characters such as g'mag.
        columns = {one.name or one.ID: table.array[one.ID] for one in table.fields}
    return columns, units


def _from_ecsv(path: Path) -> tuple[Columns, Units]:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = Table.read(str(path), format="ascii.ecsv")
    flat = {name: table[name] if table[name].ndim == 1 else table[name][:, 0] for name in table.colnames}
    columns = {name: np.ma.asarray(column) for name, column in flat.items()}
    return columns, {name: str(table[name].unit or "") for name in table.colnames}


def _delimiter(line: str) -> str | None:
    """Return the character between columns, None for white space."""
    return next((mark for mark in ("\t", ",", ";", "|") if line.count(mark) >= 1), None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return bool(re.fullmatch(r"[+-]?\d+:\d+:\d+(\.\d*)?", text.strip()))
    return True


def read_text(path: Path) -> Columns:
    """Read a table of text: a line of names (behind ``#`` or not) or none, columns by comma, tab, ; | or white space.

    Raises
    ------
    UsageError
        When it has no rows, or no names and a number of columns that leaves their meaning open.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    comments: list[str] = []
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith(("#", "!"))):
        comments.append(lines.pop(0).strip().lstrip("#!").strip())
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise UsageError(f"{path.name} has no rows.")
    mark = _delimiter(lines[0])
    first = _split([lines[0]], mark)[0]
    names = None
    if not _is_number(first[0]) and not any(_is_number(word) for word in first[1:3]):
        names = first
        lines = lines[1:]
    else:
        names = _names_in_comment(comments, len(first))
    rows = _split(lines, mark)
    if not rows:
        raise UsageError(f"{path.name} has column names but no rows.")
    if names is None:
        if len(first) not in _GUESSED:
            raise UsageError(f"{path.name} has {len(first)} columns and no line of names. {_REMEDY}")
        names = [*_GUESSED[len(first)]]
    width = len(names)
    rows = [row for row in rows if len(row) >= width]
    if not rows:
        raise UsageError(f"{path.name}: no row has the {width} columns that its first line names.")
    return {name: np.array([row[n] for row in rows]) for n, name in enumerate(names) if name}


def _split(lines: list[str], mark: str | None) -> list[list[str]]:
    if mark is None:
        return [line.split() for line in lines]
    rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=mark, skipinitialspace=True)
    out = [[cell.strip() for cell in row] for row in rows]
    # Tables drawn with bars have an empty cell at both ends.
    return [row[1:-1] if mark == "|" and row and not row[0] and not row[-1] else row for row in out]


def _names_in_comment(comments: list[str], width: int) -> list[str] | None:
    """Return the names from the last comment line that has as many words as the table has columns."""
    for comment in reversed(comments):
        mark = _delimiter(comment)
        words = _split([comment], mark)[0] if comment else []
        if len(words) == width and not any(_is_number(word) for word in words):
            return words
    return None


def _origin(file_name: str, columns: Columns) -> str:
    """Return the filter set that the magnitudes belong to, when file or columns say so."""
    text = " ".join((file_name, *columns)).lower()
    if "meanpsfmag" in text:
        return "PS1"
    if "psfmag_" in text:
        return "SDSS"
    stem = file_name.lower()
    if "sdss" in stem:
        return "SDSS"
    if re.search(r"(^|[^a-z])(ps1|panstarrs|pan-starrs)", stem):
        return "PS1"
    return ""


def band_in_name(file_name: str) -> str | None:
    """Return the band that a file name ends with, as ``PS1_SDSS_r.cat`` does; None when it names none."""
    found = re.search(r"(?:^|[_\-. ])([ugrizyUBVRIJHK])$", Path(file_name).stem)
    return band_of(found.group(1)) if found else None


def with_requested_band(catalog: ReferenceCatalog, band: str) -> tuple[ReferenceCatalog | None, str]:
    """Let a magnitude without band name stand for the requested band.

    Returns
    -------
    catalog, reason : (ReferenceCatalog or None, str)
        None when the file's name speaks of another band: the sentence asks which it is.
    """
    magnitude, error = catalog.magnitudes[UNNAMED_BAND]
    named = band_in_name(catalog.name)
    if named is not None and named != band:
        return None, (f"the magnitude column of {catalog.name} names no band and the file's name says {named}: "
                      f"is it {band}? If so name the column {band}")
    origin = catalog.passbands.get(UNNAMED_BAND, "")
    taken = catalog.with_band(band, magnitude, error, system_of(band), origin)
    return taken, f"{catalog.name}: its magnitudes name no band and are taken as {band}"
