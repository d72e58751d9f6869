"""Bad files for tests, a file that is being written, and large nights that cost little."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

_BLOCK = 2880
_CARD = 80


def _header_end(data: bytes) -> int:
    """Length of the primary header, whole blocks."""
    for start in range(0, len(data), _CARD):
        if data[start : start + _CARD].strip() == b"END":
            return -(-(start + _CARD) // _BLOCK) * _BLOCK
    raise ValueError("no END card")


def set_raw_card(data: bytes, key: str, value: str | None) -> bytes:
    """Return a FITS file with one header card's text after ``= `` replaced, or the card blanked (None).

    The text goes in as it is, so it may be no FITS value at all. A key that is missing leaves the file as it was.
    """
    end = _header_end(data)
    for start in range(0, end, _CARD):
        if data[start : start + 8].rstrip() == key.encode():
            card = b" " * _CARD if value is None else f"{key:8}= {value:>20}".encode().ljust(_CARD)[:_CARD]
            return data[:start] + card + data[start + _CARD :]
    return data


def _wrong_size(data: bytes) -> bytes:
    """Half as many rows and columns."""
    from astropy.io import fits

    header = fits.Header.fromstring(data[: _header_end(data)].decode("latin-1"))
    image = np.zeros((int(header["NAXIS2"]) // 2, int(header["NAXIS1"]) // 2), dtype=">i2")
    data = set_raw_card(data, "NAXIS1", str(image.shape[1]))
    data = set_raw_card(data, "NAXIS2", str(image.shape[0]))
    pixels = image.tobytes()
    return data[: _header_end(data)] + pixels + bytes(-len(pixels) % _BLOCK)


#: What each fault makes of the bytes of a good frame.
FAULTS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType({
    "truncated": lambda data: data[: _header_end(data) + (len(data) - _header_end(data)) * 2 // 5],
    "empty": lambda data: b"",
    "header_only": lambda data: data[:1500],
    "not_fits": lambda data: b"This is the observer's note, not a frame.\n" * 100,
    "wrong_size": _wrong_size,
    "no_exptime": lambda data: set_raw_card(set_raw_card(data, "EXPTIME", None), "EXPOSURE", None),
    "bad_exptime": lambda data: set_raw_card(set_raw_card(data, "EXPTIME", "6,4E-05"), "EXPOSURE", "6,4E-05"),
    "no_filter": lambda data: set_raw_card(data, "FILTER", None),
    "empty_object": lambda data: set_raw_card(set_raw_card(data, "OBJECT", "''"), "OBJNAME", "''"),
    "slashes": lambda data: set_raw_card(set_raw_card(data, "OBJNAME", "'../../M31/a b'"), "VSTID", "'../x'"),
    "unreadable": lambda data: data,
})  # fmt: skip


def add_fault(good: Path, bad: Path, fault: str) -> None:
    """Write a bad copy of a good frame.

    ``unreadable`` takes the read permission away, which does not stop a superuser.

    Raises
    ------
    UsageError
        For an unknown fault.
    """
    from ..reduction.fitsio import atomic_write

    if fault not in FAULTS:
        raise UsageError(f"There is no fault {fault!r}; there are {', '.join(FAULTS)}.")
    with atomic_write(bad) as stream:
        stream.write(FAULTS[fault](good.read_bytes()))
    if fault == "unreadable":
        bad.chmod(0o000)


def write_frame_slowly(path: Path | str, data: bytes, chunks: int = 10, delay: float = 0.2) -> None:
    """Write a file the way a slow camera does: under its final name, piece by piece.

    Parameters
    ----------
    data : bytes
        Whole content, for instance of another frame.
    chunks : int
        Pieces.
    delay : float
        Seconds between pieces.
    """
    edges = np.linspace(0, len(data), chunks + 1).astype(int)
    with Path(path).open("wb") as stream:
        for number, (start, end) in enumerate(itertools.pairwise(edges.tolist())):
            if number:
                time.sleep(delay)
            stream.write(data[start:end])
            stream.flush()


def fits_bytes(
    image: NDArray[Any], cards: list[tuple[str, Any, str]], scaling: tuple[float, float] = (32768, 1)
) -> tuple[bytes, bytes]:
    """Return the header and the padded pixels of an unsigned 16-bit FITS file; ``scaling`` is BZERO and BSCALE.

    Cards that are not finite are left out.
    """
    from astropy.io import fits

    header = fits.Header()
    structure: list[tuple[str, Any, str]] = [
        ("SIMPLE", True, "file does conform to FITS standard"),
        ("BITPIX", 16, "number of bits per data pixel"),
        ("NAXIS", 2, "number of data axes"),
        ("NAXIS1", image.shape[1], "length of data axis 1"),
        ("NAXIS2", image.shape[0], "length of data axis 2"),
        ("BZERO", scaling[0], "offset data range to that of unsigned short"),
        ("BSCALE", scaling[1], "default scaling factor"),
    ]
    for key, value, comment in structure + cards:
        if isinstance(value, float) and not math.isfinite(value):
            continue  # such as the airmass of a target that has set
        if key in ("COMMENT", "HISTORY"):
            header.add_comment(str(value))
        else:
            header[key] = (value, comment[: max(65 - max(20, len(str(value)) + 2), 0)])
    pixels = np.bitwise_xor(image.astype(np.uint16, copy=False), np.uint16(0x8000)).astype(">u2").tobytes()
    return header.tostring().encode("latin-1"), pixels + bytes(-len(pixels) % _BLOCK)
