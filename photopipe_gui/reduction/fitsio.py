"""Reading frames quickly and exactly, and writing products atomically."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import FrameError, NightError
from .frame import Frame

BLOCK = 2880
MASK_EXTENSION = "MASK"
_MAX_HEADER_BLOCKS = 2000
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?$")
_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

Card = str | int | float | bool


class Unparsable(str):
    """The text of a header value that is no FITS value, such as ``6,4E-05``."""


class Area(NamedTuple):
    """A rectangle of pixels, numpy order, end excluded: ``image[y0:y1, x0:x1]``."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y1 - self.y0, self.x1 - self.x0


class Layout(NamedTuple):
    """Where and how the first image of a file lies on disk.

    ``offset`` is None when the pixels are not plain (tile-compressed): astropy reads those.
    """

    cards: dict[str, Card]
    shape: tuple[int, int]
    dtype: str
    offset: int | None
    bzero: float
    bscale: float


def parse_value(raw: bytes) -> Card:
    """Return the value of a card from the 70 bytes after ``KEYWORD =``; text that fits no type is `Unparsable`."""
    text = raw.strip()
    if text.startswith(b"'"):
        out, i = bytearray(), 1
        while i < len(text):
            if text[i : i + 1] == b"'":
                if text[i + 1 : i + 2] != b"'":
                    return out.decode("latin-1").rstrip()
                i += 1
            out += text[i : i + 1]
            i += 1
        return Unparsable(text.decode("latin-1"))
    value = text.split(b"/", 1)[0].strip()
    if value in (b"T", b"F"):
        return value == b"T"
    if _NUMBER.match(value):
        if value.lstrip(b"+-").isdigit():
            return int(value)
        return float(value.upper().replace(b"D", b"E"))
    return Unparsable(value.decode("latin-1")) if value else ""


def _header_block(stream: IO[bytes], path: Path) -> dict[str, Card]:
    """Read one header unit from the stream; leaves the stream at the data."""
    cards: dict[str, Card] = {}
    for count in range(_MAX_HEADER_BLOCKS):
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            reason = "it is empty" if count == 0 and not block else "the file ends inside its header"
            raise FrameError(path, reason, "Copy it again from the telescope, or wait until it is written.")
        if count == 0 and not (block.startswith((b"SIMPLE  =", b"XTENSION="))):
            raise FrameError(path, "this is not a FITS file", "Move it out of the night.")
        for i in range(0, BLOCK, 80):
            key = block[i : i + 8]
            if key == b"END     " and not block[i + 8 : i + 80].strip():
                return cards
            if block[i + 8 : i + 10] == b"= ":
                cards.setdefault(key.rstrip().decode("latin-1"), parse_value(block[i + 10 : i + 80]))
    raise FrameError(path, "its header has no end", "The file is damaged; copy it again from the telescope.")


def _integer(cards: Mapping[str, Card], key: str, path: Path, default: int | None = None) -> int:
    value = cards.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FrameError(path, f"{key} is {value!r}, not a whole number", "The header is damaged.")
    return value


def _data_size(cards: Mapping[str, Card], path: Path) -> int:
    """Bytes of a data unit, without padding."""
    axes = [_integer(cards, f"NAXIS{n + 1}", path) for n in range(_integer(cards, "NAXIS", path, 0))]
    if not axes:
        return 0
    if min(axes) < 0:
        raise FrameError(path, "an image axis is negative", "The header is damaged.")
    size = abs(_integer(cards, "BITPIX", path)) // 8
    pixels = int(np.prod(axes, dtype=object))
    return size * _integer(cards, "GCOUNT", path, 1) * (_integer(cards, "PCOUNT", path, 0) + pixels)


def _number(cards: Mapping[str, Card], key: str, default: float) -> float:
    value = cards.get(key, default)
    return float(value) if isinstance(value, (int, float)) else default


def read_layout(path: Path | str) -> Layout:
    """Read the header of the first two-dimensional image of a file and where its pixels lie.

    The primary header's cards are completed by those of the extension that holds the image.

    Raises
    ------
    FrameError
        When the file is missing, no FITS file, damaged, cut short, or holds no image.
    """
    path = Path(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FrameError(path, f"it cannot be read ({error.strerror})", "Check the file and its permissions.") from error
    with stream:
        file_size = os.fstat(stream.fileno()).st_size
        cards = _header_block(stream, path)
        merged = dict(cards)
        while True:
            naxis = _integer(cards, "NAXIS", path, 0)
            start, size = stream.tell(), _data_size(cards, path)
            if cards.get("ZIMAGE") is True:
                shape = (_integer(cards, "ZNAXIS2", path), _integer(cards, "ZNAXIS1", path))
                if start + size > file_size:
                    raise FrameError(path, f"the file ends after {file_size} of {start + size} bytes",
                                     "It is cut short or still being written.")
                return Layout({**merged, **cards}, shape, "", None, 0.0, 1.0)
            if naxis == 2 and cards.get("XTENSION", "IMAGE") == "IMAGE" and size:
                bitpix = _integer(cards, "BITPIX", path)
                if bitpix not in _DTYPES:
                    raise FrameError(path, f"BITPIX {bitpix} is not a FITS pixel type", "The header is damaged.")
                if start + size > file_size:
                    raise FrameError(path, f"the file ends after {file_size} of {start + size} bytes",
                                     "It is cut short or still being written.")
                shape = (_integer(cards, "NAXIS2", path), _integer(cards, "NAXIS1", path))
                return Layout({**merged, **cards}, shape, _DTYPES[bitpix], start,
                              _number(cards, "BZERO", 0.0), _number(cards, "BSCALE", 1.0))
            following = start + -(-size // BLOCK) * BLOCK
            if following + BLOCK > file_size:
                raise FrameError(path, "it holds no two-dimensional image", "Move it out of the night.")
            stream.seek(following)
            cards = _header_block(stream, path)


def _scaled(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Turn pixels as stored into native values; unsigned 16-bit stays exact."""
    if layout.bscale == 1.0 and layout.bzero == 32768.0 and layout.dtype == ">i2":
        return np.bitwise_xor(values.view(">u2"), np.uint16(0x8000)).astype(np.uint16)
    native = values.astype(values.dtype.newbyteorder("="))
    if layout.bscale == 1.0 and layout.bzero == 0.0:
        return native
    return (native * layout.bscale + layout.bzero).astype(np.float32 if layout.dtype == ">i2" else np.float64)


def read_pixels(path: Path | str, area: Area | None = None, layout: Layout | None = None) -> NDArray[Any]:
    """Read the image, or a rectangle of it, in its own type (unsigned 16-bit integers stay integers).

    Parameters
    ----------
    path : path
        The file.
    area : Area, optional
        Rectangle to read; only its rows are read from disk.
    layout : Layout, optional
        From `read_layout`, to spare a second reading of the header.

    Returns
    -------
    ndarray, shape (ny, nx)
        Native byte order, writable, contiguous.

    Raises
    ------
    FrameError
        As `read_layout`; also when the area does not lie on the image.
    """
    path = Path(path)
    layout = layout or read_layout(path)
    ny, nx = layout.shape
    y0, y1, x0, x1 = area or Area(0, ny, 0, nx)
    if not (0 <= y0 < y1 <= ny and 0 <= x0 < x1 <= nx):
        raise FrameError(path, f"the image is {nx} x {ny} px and does not hold the area x {x0}-{x1}, y {y0}-{y1}",
                         "It was read out with another window or binning; leave it out.")
    if layout.offset is None:
        return np.ascontiguousarray(_astropy_image(path)[y0:y1, x0:x1])
    dtype = np.dtype(layout.dtype)
    with path.open("rb") as stream:
        stream.seek(layout.offset + y0 * nx * dtype.itemsize)
        rows = np.fromfile(stream, dtype, (y1 - y0) * nx)
    if rows.size != (y1 - y0) * nx:
        raise FrameError(path, "the file became shorter while it was read", "It is being written or removed.")
    return np.ascontiguousarray(_scaled(rows.reshape(y1 - y0, nx)[:, x0:x1], layout))


def _astropy_image(path: Path) -> NDArray[Any]:
    """Read a tile-compressed image."""
    try:
        with fits.open(path, memmap=False) as hdus:
            for hdu in hdus:
                if hdu.is_image and hdu.header.get("NAXIS") == 2 and hdu.data is not None:
                    return np.asarray(hdu.data)
    except Exception as error:
        raise FrameError(path, f"its compressed image cannot be read ({error})", "Copy the file again.") from error
    raise FrameError(path, "it holds no two-dimensional image", "Move it out of the night.")


def read_header(path: Path | str) -> fits.Header:
    """Read the primary header of one of our products as an astropy header.

    Raises
    ------
    FrameError
        When it cannot be read.
    """
    try:
        return fits.Header.fromfile(str(path), endcard=True, padding=True)
    except Exception as error:
        raise FrameError(Path(path), f"its header cannot be read ({error})", "Remove the file and run again.") from error


def read_frame(path: Path | str) -> Frame:
    """Read a product: image as float32, its mask (made from the NaN when there is none), its header.

    Raises
    ------
    FrameError
        As `read_layout`.
    """
    path = Path(path)
    image = np.asarray(read_pixels(path), dtype=np.float32)
    header = read_header(path)
    mask = read_mask(path)
    if mask is None or mask.shape != image.shape:
        mask = np.where(np.isfinite(image), 0, 8).astype(np.uint8)
    return Frame(image, mask, header)


def read_extension(path: Path | str, name: str) -> NDArray[Any] | None:
    """Return the image extension of that name of one of our products, or None."""
    path = Path(path)
    try:
        with fits.open(path, memmap=False, lazy_load_hdus=True) as hdus:
            if name not in hdus:
                return None
            data = np.asarray(hdus[name].data)
            return data.astype(data.dtype.newbyteorder("="))
    except OSError as error:
        raise FrameError(path, f"its extension {name} cannot be read ({error})", "Remove it and run again.") from error


def read_mask(path: Path | str) -> NDArray[np.uint8] | None:
    """Return the ``MASK`` extension of a product, or None."""
    mask = read_extension(path, MASK_EXTENSION)
    return None if mask is None else mask.astype(np.uint8)


@contextlib.contextmanager
def atomic_write(path: Path | str, durable: bool = False) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is whole.

    Parameters
    ----------
    path : path
        Final name; an existing file is replaced at the end, in one step.
    durable : bool
        Force the bytes to disk first, for what cannot be made again (decisions, journals).

    Raises
    ------
    NightError
        When the folder is read-only, missing, or the disk is full.
    """
    path = Path(path)
    part = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise NightError(f"{path} cannot be written ({error.strerror or error}). Free some space or check that you "
                         "may write there, and start again: nothing else was lost.") from error
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically and durably."""
    with atomic_write(path, durable=True) as stream:
        stream.write(text.encode("utf-8"))


def write_image(
    path: Path | str,
    image: NDArray[Any],
    header: fits.Header | None = None,
    extensions: Mapping[str, NDArray[Any]] | None = None,
    durable: bool = False,
) -> None:
    """Write an image (and named image extensions) atomically as FITS, in the type it has."""
    primary = fits.PrimaryHDU(np.ascontiguousarray(image), header)
    hdus: list[Any] = [primary]
    hdus += [fits.ImageHDU(np.ascontiguousarray(plane), name=name) for name, plane in (extensions or {}).items()]
    with atomic_write(path, durable) as stream:
        fits.HDUList(hdus).writeto(stream)


def write_frame(path: Path | str, frame: Frame) -> None:
    """Write a product: float32 image and its ``MASK`` extension."""
    write_image(path, frame.image.astype(np.float32, copy=False), frame.header, {MASK_EXTENSION: frame.mask})
