"""Masters looked into and compared, and masters of the real night."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from small_night import WITH_DARK, Night, data_of, header_of, make_all, one

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.preprocess.master import make_masters, mkmaster
from photopipe_gui.reduction.preprocess.master_view import compare_masters, through_stack

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "ratir"


@pytest.fixture
def night(tmp_path: Path) -> Night:
    folder = tmp_path / "noche de mayo, ñ"
    folder.mkdir()
    return Night(folder)


@pytest.mark.parametrize("method", ["median", "clip"])
def test_a_pixel_through_the_stack(night: Night, method: str) -> None:
    bias, dark, flat = make_all(night, method=method)
    for result in (bias, dark, flat):
        values = through_stack(result.path, WITH_DARK, 12, 20)  # type: ignore[arg-type]
        assert [value.path for value in values] == [item.path for item in result.inputs]
        here = float(data_of(result.path)[12, 20])
        expected = np.median([value.value for value in values])
        assert here == pytest.approx(expected, rel=1e-5 if method == "median" else 0.02, abs=1e-6)
        assert max(abs(value.deviation) for value in values) < 6
    with fits.open(bias.inputs[3].path, mode="update") as hdus:
        hdus[0].data[14, 24] = 9000
    assert through_stack(bias.path, WITH_DARK, 12, 20)[3].deviation > 100  # type: ignore[arg-type]
    bias.inputs[3].path.unlink()
    assert math.isnan(through_stack(bias.path, WITH_DARK, 12, 20)[3].value)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="no pixel"):
        through_stack(bias.path, WITH_DARK, 500, 0)  # type: ignore[arg-type]


def test_masters_of_two_nights(night: Night, tmp_path: Path) -> None:
    bias, dark, flat = make_all(night)
    lists = {"bias": night.biases(9), "dark": night.darks(9)}
    again = one(make_masters(WITH_DARK, {"C0": lists["bias"]}, "bias", master_dir=tmp_path / "other"))
    same = compare_masters(bias.path, again.path)  # type: ignore[arg-type]
    assert not same.differs
    assert same.fraction < 0.001
    assert same.verdict.startswith("No significant change")
    assert abs(float(np.std(same.significance)) - 1) < 0.1
    make_masters(WITH_DARK, {"C0": lists["dark"]}, "dark", master_dir=tmp_path / "other")
    night.flat[:20] *= 1.1
    moved = one(make_masters(WITH_DARK, {"R": night.flats()}, "flat", master_dir=tmp_path / "other"))
    change = compare_masters(flat.path, moved.path)  # type: ignore[arg-type]
    assert change.differs
    assert change.fraction == pytest.approx(18 / 46, abs=0.1)
    assert change.verdict.startswith("They differ")
    with pytest.raises(FrameError, match="is a master bias, not flat"):
        compare_masters(flat.path, bias.path)  # type: ignore[arg-type]
    assert dark.path is not None


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"real frames are not at {DATA}")
class TestRealNight:
    """RATIR C1, 2013-07-16."""

    AREA = np.s_[75:1000, 15:1000]

    @staticmethod
    def frames(letter: str) -> list[str]:
        return sorted(map(str, DATA.glob(f"*C1{letter}.fits")))

    def real(self, paths: list[str]) -> np.ndarray:
        return np.stack([fits.getdata(path)[self.AREA].astype(np.float64) for path in paths])

    def test_bias_dark_and_flat(self, tmp_path: Path) -> None:
        biases, darks, flats = self.frames("b"), self.frames("d"), self.frames("f")[1:-1]
        assert (len(biases), len(darks), len(flats)) == (5, 6, 12)
        bias_path = mkmaster("ratir", {"C1": biases}, "bias", master_dir=tmp_path)["C1"]
        bias = data_of(bias_path).astype(float)
        np.testing.assert_array_equal(bias, np.median(self.real(biases), axis=0))
        assert 8 < header_of(bias_path)["RDNOISE"] < 16

        dark = data_of(mkmaster("ratir", {"C1": darks}, "dark", master_dir=tmp_path)["C1"])
        np.testing.assert_allclose(dark, np.median((self.real(darks) - bias) / 80, axis=0), rtol=1e-6, atol=1e-6)

        flat_path = mkmaster("ratir", {"i": flats}, "flat", master_dir=tmp_path)["i"]
        scaled = self.real(flats) - bias - dark.astype(float) * 10
        scaled /= np.median(scaled, axis=(1, 2))[:, None, None]
        expected = np.median(scaled, axis=0)
        flat = data_of(flat_path)
        np.testing.assert_allclose(flat, expected / np.median(expected), rtol=5e-6)
        header = header_of(flat_path)
        assert (header["SATURATE"], header["GAIN"], header["NCOMBINE"]) == (16383, 4.66, 12)

    def test_the_nearly_saturated_flat_stands_out(self, tmp_path: Path) -> None:
        mkmaster("ratir", {"C1": self.frames("b")}, "bias", master_dir=tmp_path)
        mkmaster("ratir", {"C1": self.frames("d")}, "dark", master_dir=tmp_path)
        result = one(make_masters("ratir", {"i": self.frames("f")[1:-1]}, "flat", master_dir=tmp_path))
        fractions = [item.outlier_fraction for item in result.inputs]
        assert np.argmax(fractions) == 0
        assert fractions[0] > 0.01
        assert np.median(fractions[1:]) < 1e-4
