"""Reading frames quickly and exactly, and writing products atomically."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FrameError, NightError
from ..instruments.cards import Area, Card, Unparsable
from ..instruments.rawheader import Layout, parse_value, read_layout
from .frame import Frame

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = [
    "Area",
    "Card",
    "Layout",
    "Unparsable",
    "atomic_write",
    "parse_value",
    "read_extension",
    "read_frame",
    "read_header",
    "read_layout",
    "read_mask",
    "read_pixels",
    "write_frame",
    "write_image",
    "write_text",
]

MASK_EXTENSION = "MASK"


def _scaled(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Turn pixels as stored into native values; unsigned 16-bit stays exact."""
    if layout.bscale == 1.0 and layout.bzero == 32768.0 and layout.dtype == ">i2":
        unsigned: NDArray[Any] = np.bitwise_xor(values.view(">u2"), np.uint16(0x8000)).astype(np.uint16)
        return unsigned
    native = values.astype(values.dtype.newbyteorder("="))
    if layout.bscale == 1.0 and layout.bzero == 0.0:
        return native
    scaled: NDArray[Any] = native * layout.bscale + layout.bzero
    return scaled.astype(np.float32 if layout.dtype == ">i2" else np.float64)


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
        raise FrameError(
            path,
            f"the image is {nx} x {ny} px and does not hold the area x {x0}-{x1}, y {y0}-{y1}",
            "It was read out with another window or binning; leave it out.",
        )
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
    from astropy.io import fits

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
    from astropy.io import fits

    try:
        return fits.Header.fromfile(str(path), endcard=True, padding=True)
    except Exception as error:
        raise FrameError(
            Path(path), f"its header cannot be read ({error})", "Remove the file and run again."
        ) from error


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
    from astropy.io import fits

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
        raise NightError(
            f"{path} cannot be written ({error.strerror or error}). Free some space or check that you "
            "may write there, and start again: nothing else was lost."
        ) from error
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
    from astropy.io import fits

    primary = fits.PrimaryHDU(np.ascontiguousarray(image), header)
    hdus: list[Any] = [primary]
    hdus += [fits.ImageHDU(np.ascontiguousarray(plane), name=name) for name, plane in (extensions or {}).items()]
    with atomic_write(path, durable) as stream:
        fits.HDUList(hdus).writeto(stream)


def write_frame(path: Path | str, frame: Frame) -> None:
    """Write a product: float32 image and its ``MASK`` extension."""
    write_image(path, frame.image.astype(np.float32, copy=False), frame.header, {MASK_EXTENSION: frame.mask})
