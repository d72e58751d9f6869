"""Rectangles of frames on disk: every stored type, cropping, compression, files that change."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.core.combine import Input, Tile, combine
from photopipe_gui.reduction.fitsio import Area
from photopipe_gui.reduction.preprocess.source import FitsSource

TILE = Tile(3, 17, 5, 40)
PIXELS = np.random.default_rng(8).integers(0, 65536, (30, 50))


def read(source: FitsSource, dtype: type | None = None) -> np.ndarray:
    out = np.empty((TILE.y1 - TILE.y0, TILE.x1 - TILE.x0), dtype or source.dtype)
    source.read(TILE, out)
    source.close()
    return out


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        (np.uint16, np.uint16),
        (np.int16, np.int16),
        (np.uint8, np.uint8),
        (np.int32, np.int32),
        (np.uint32, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_every_type_comes_back(tmp_path: Path, dtype: type, given: type) -> None:
    pixels = PIXELS.astype(dtype)
    fits.PrimaryHDU(pixels).writeto(tmp_path / "a.fits")
    expected = pixels[TILE.y0 : TILE.y1, TILE.x0 : TILE.x1]
    got = read(FitsSource(tmp_path / "a.fits"))
    assert got.dtype == given
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(read(FitsSource(tmp_path / "a.fits"), np.float32), expected.astype(np.float32))


def test_scaled_integers(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU((PIXELS // 8).astype(np.int16))
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.25, 100.0
    hdu.writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus:
        expected = hdus[0].data[TILE.y0 : TILE.y1, TILE.x0 : TILE.x1]
    np.testing.assert_allclose(read(FitsSource(tmp_path / "a.fits")), expected, rtol=1e-6)


@pytest.mark.parametrize("compressed", [False, True])
def test_area_of_an_extension(tmp_path: Path, compressed: bool) -> None:
    pixels = PIXELS.astype(np.uint16)
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    fits.HDUList([fits.PrimaryHDU(), kind(pixels)]).writeto(tmp_path / "a.fits")
    source = FitsSource(tmp_path / "a.fits", Area(4, 28, 6, 49))
    assert source.shape == (24, 43)
    np.testing.assert_array_equal(read(source), pixels[4:28, 6:49][TILE.y0 : TILE.y1, TILE.x0 : TILE.x1])


def test_more_frames_than_files_may_be_open(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(PIXELS.astype(np.uint16)).writeto(path)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    sources = [FitsSource(path) for _ in range(450)]
    result = combine([Input(source) for source in sources])
    np.testing.assert_array_equal(result.image, PIXELS)
    if before:
        assert len(os.listdir("/proc/self/fd")) - before < 300
    for source in sources:
        source.close()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(PIXELS.astype(np.uint16)).writeto(path)
    with pytest.raises(FrameError, match="without the area"):
        FitsSource(path, Area(0, 31, 0, 50))
    source = FitsSource(path)
    os.truncate(path, 3000)
    with pytest.raises(FrameError, match="became shorter"):
        read(source)
    source.close()
    with pytest.raises(FrameError, match="the file ends after"):
        FitsSource(path)
    with pytest.raises(FrameError, match="cannot be read"):
        FitsSource(tmp_path / "missing.fits")
