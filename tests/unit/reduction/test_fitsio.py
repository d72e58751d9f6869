"""Reading exactly, refusing in words, writing atomically."""

import os

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from photopipe_gui.errors import FrameError, NightError
from photopipe_gui.instruments.rawheader import parse_value
from photopipe_gui.reduction import fitsio
from photopipe_gui.reduction.fitsio import Area, Unparsable, read_layout, read_pixels
from photopipe_gui.reduction.frame import Frame, Mask


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "a.fits"
    image = np.random.default_rng(1).integers(0, 65536, (37, 53)).astype(np.uint16)
    image[0, :3] = [0, 32768, 65535]
    fits.PrimaryHDU(image, fits.Header({"EXPTIME": 3.5})).writeto(path)
    return path, image


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_pixels_of_every_type_are_exact(tmp_path, dtype):
    image = (np.random.default_rng(2).normal(0, 100, (11, 7))).astype(dtype)
    path = tmp_path / "x.fits"
    fits.PrimaryHDU(image).writeto(path)
    read = read_pixels(path)
    assert np.array_equal(read, image)
    assert read.dtype.isnative
    assert read.flags.writeable


def test_area_reads_just_that(raw):
    path, image = raw
    assert np.array_equal(read_pixels(path, Area(3, 20, 5, 50)), image[3:20, 5:50])
    with pytest.raises(FrameError, match="53 x 37 px and does not hold"):
        read_pixels(path, Area(0, 38, 0, 53))


def test_extension_and_compressed_images(tmp_path):
    image = np.arange(600, dtype=np.int16).reshape(20, 30)
    mef, tiled = tmp_path / "mef.fits", tmp_path / "tiled.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, fits.Header({"FILTER": "i"}))]).writeto(mef)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]).writeto(tiled)
    assert np.array_equal(read_pixels(mef), image)
    assert read_layout(mef).cards["FILTER"] == "i"
    assert np.array_equal(read_pixels(tiled, Area(2, 9, 1, 4)), image[2:9, 1:4])


def test_scaled_integers(tmp_path):
    path = tmp_path / "s.fits"
    hdu = fits.PrimaryHDU(np.array([[1, 2], [3, 4]], np.int16))
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.5, 10.0
    path.write_bytes(hdu.header.tostring().encode() + np.array([1, 2, 3, 4], ">i2").tobytes().ljust(2880, b"\0"))
    assert np.allclose(read_pixels(path), [[10.5, 11.0], [11.5, 12.0]])


def test_what_is_wrong_is_said_in_words(tmp_path, raw):
    path, _ = raw
    data = path.read_bytes()
    cases = {
        "short.fits": (data[: 2880 + 1000], "ends after"),
        "header.fits": (data[:1000], "ends inside its header"),
        "empty.fits": (b"", "it is empty"),
        "text.fits": (b"hello " * 1000, "not a FITS file"),
        "noimage.fits": (fits.PrimaryHDU().header.tostring().encode(), "no two-dimensional image"),
    }
    for name, (content, words) in cases.items():
        bad = tmp_path / name
        bad.write_bytes(content)
        with pytest.raises(FrameError, match=words) as caught:
            read_pixels(bad)
        assert str(caught.value).startswith(name)
    with pytest.raises(FrameError, match="cannot be read"):
        read_pixels(tmp_path / "nowhere.fits")


@given(st.binary(max_size=6000), st.integers(0, 5000))
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_never_raise_anything_else(tmp_path_factory, noise, start):
    folder = tmp_path_factory.mktemp("fuzz")
    image = np.arange(1000, dtype=np.uint16).reshape(20, 50)
    path = folder / "x.fits"
    fits.PrimaryHDU(image, fits.Header({"EXPTIME": 1.0, "OBJECT": "it's"})).writeto(path)
    data = bytearray(path.read_bytes())
    data[start : start + len(noise)] = noise
    path.write_bytes(bytes(data))
    try:
        layout = read_layout(path)
        dict(layout.cards)
        read_pixels(path)
    except FrameError:
        pass


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" 'it''s'  / quoted", "it's"), (b" T / yes", True), (b" -12 / n", -12), (b" 1.5D3", 1500.0),
        (b" .5E-1 ", 0.05),
        (b" / nothing", ""), (b" 2013-07 /", Unparsable("2013-07")), (b" 6,4E-05 / s", Unparsable("6,4E-05")),
        (b" 'open", Unparsable("'open")),
    ],
)  # fmt: skip
def test_card_values(text, value):
    read = parse_value(text)
    assert read == value
    assert type(read) is type(value)


def test_frame_round_trip(tmp_path):
    image = np.array([[1.5, np.nan], [3, 4]], np.float32)
    mask = np.array([[0, Mask.NODATA], [Mask.SATURATED, 0]], np.uint8)
    fitsio.write_frame(tmp_path / "f.fits", Frame(image, mask, fits.Header({"FILTER": "i"})))
    frame = fitsio.read_frame(tmp_path / "f.fits")
    assert np.array_equal(frame.image, image, equal_nan=True)
    assert np.array_equal(frame.mask, mask)
    assert frame.header["FILTER"] == "i"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "x.json"
    fitsio.write_text(path, "old")
    with pytest.raises(RuntimeError), fitsio.atomic_write(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_an_unwritable_folder_is_said_in_words(tmp_path):
    with pytest.raises(NightError, match="cannot be written"):
        fitsio.write_text(tmp_path / "missing" / "x.json", "text")
