from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps.astrometry import AstrometryParams, run_group
from photopipe_gui.reduction.auto.tasks import Failure, FrameTask, GroupTask
from photopipe_gui.reduction.catalogs.config import CatalogConfig
from photopipe_gui.reduction.core.skyplane import linear_wcs
from photopipe_gui.reduction.fitsio import read_frame, read_header, write_frame
from photopipe_gui.reduction.frame import Frame, Mask
from photopipe_gui.reduction.progress import SilentReporter

SHAPE = (500, 560)
SCALE = 0.32 / 3600
RA, DEC = 150.3, 22.4
RATIR = Path(__file__).parents[4].parent / "shared" / "data" / "ratir"


class Here:
    """The driver's context with everything run in this process."""

    def __init__(self, scratch, config):
        self.reporter, self.scratch, self.catalogs = SilentReporter(), scratch, config
        self.workers, self.memory_limit = 1, 2**28

    def map(self, function, items, label=""):
        answers = []
        for item in items:
            try:
                answers.append(function(item))
            except Exception as error:
                answers.append(Failure.of(error))
        return answers


@dataclass
class Sky:
    """Stars about the target and what each frame saw of them."""

    ra: np.ndarray
    dec: np.ndarray
    flux: np.ndarray


@pytest.fixture(scope="module")
def sky():
    rng = np.random.default_rng(11)
    n, half = 320, 0.075
    return Sky(RA + rng.uniform(-half, half, n) / np.cos(np.radians(DEC)), DEC + rng.uniform(-half, half, n),
               10 ** rng.uniform(3.6, 5.2, n))


def camera(ra, dec, turn=0.0, parity=-1):
    t = np.radians(turn)
    cd = SCALE * np.array([[parity * np.cos(t), np.sin(t)], [-parity * np.sin(t), np.cos(t)]])
    return linear_wcs(ra, dec, (SHAPE[1] / 2, SHAPE[0] / 2), cd)


def expose(path, sky, true, guess, seed=0, depth=1.0, **cards):
    """Write a frame of the sky seen through a true WCS, with a guess of it in its header."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 5, SHAPE)
    x, y = true.all_world2pix(sky.ra, sky.dec, 0)
    for a, b, f in zip(x, y, sky.flux * depth, strict=True):
        if -10 < a < SHAPE[1] + 10 and -10 < b < SHAPE[0] + 10:
            i, j = np.arange(max(int(a) - 12, 0), int(a) + 13), np.arange(max(int(b) - 12, 0), int(b) + 13)
            i, j = i[i < SHAPE[1]], j[j < SHAPE[0]]
            if len(i) and len(j):
                image[np.ix_(j, i)] += f / (2 * np.pi * 1.4**2) * np.exp(
                    -0.5 * ((j[:, None] - b) ** 2 + (i - a) ** 2) / 1.4**2)
    image[rng.integers(0, SHAPE[0], 30), rng.integers(0, SHAPE[1], 30)] += 3000
    image[:, 100] = np.nan
    mask = np.where(np.isnan(image), int(Mask.NODATA), 0).astype(np.uint8)
    header = fits.Header()
    header["DATE-OBS"], header["PIXSCALE"], header["GAIN"] = "2025-07-01T03:00:00", 0.32, 2.0
    if guess is not None:
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
        for i in (1, 2):
            header[f"CRVAL{i}"], header[f"CRPIX{i}"] = guess.wcs.crval[i - 1], guess.wcs.crpix[i - 1]
            for j in (1, 2):
                header[f"CD{i}_{j}"] = guess.wcs.cd[i - 1, j - 1]
    header.update(cards)
    write_frame(path, Frame(image.astype(np.float32), mask, header))


def reference(folder, sky, chosen=slice(None), pm=None, epoch=2025.5):
    path = folder / "stars.csv"
    pmra, pmdec = pm if pm is not None else (np.zeros(len(sky.ra)), np.zeros(len(sky.ra)))
    rows = zip(sky.ra[chosen], sky.dec[chosen], 25 - 2.5 * np.log10(sky.flux[chosen]), pmra[chosen], pmdec[chosen],
               strict=True)
    lines = ["ra,dec,r,r_err,pmra,pmdec,ref_epoch"]
    lines += [f"{a:.8f},{d:.8f},{m:.4f},0.01,{p:.3f},{q:.3f},{epoch}" for a, d, m, p, q in rows]
    path.write_text("\n".join(lines) + "\n")
    return CatalogConfig(refcat=path, offline=True)


def offline(tmp_path):
    return CatalogConfig(offline=True, cache_dir=tmp_path / "no_cache")


def run(tmp_path, frames, config, params=None):
    """Run the step over frames given as (name, true, guess, keywords); return its result and the products' WCS."""
    sky = frames[0]["sky"]
    tasks = []
    for k, f in enumerate(frames):
        source = tmp_path / f"zsfp{f['name']}.fits"
        expose(source, sky, f["true"], f["guess"], seed=k, depth=f.get("depth", 1.0), **f.get("cards", {}))
        tasks.append(FrameTask(f["name"], source, tmp_path / f"azsfp{f['name']}.fits", cards=(("PPTEST", k, ""),)))
    group = GroupTask("field_r", "field", "r", tuple(tasks))
    return run_group(group, params or AstrometryParams(), Here(tmp_path, config)), tasks


def error_px(path, true):
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, SHAPE[1] - 1, 7), np.linspace(0, SHAPE[0] - 1, 7)))
    found = WCS(read_header(path)).all_pix2world(x, y, 0)
    back = true.all_world2pix(*found, 0)
    return np.hypot(back[0] - x, back[1] - y)


def test_frames_are_solved_against_the_catalogue(tmp_path, sky):
    frames = []
    for k, (east, north) in enumerate([(0, 0), (15, -10), (-12, 20)]):
        true = camera(RA + east / 3600, DEC + north / 3600, turn=1.0)
        guess = camera(RA + 0.02 - 0.01 * k, DEC - 0.015, turn=-1.5, parity=1 if k == 2 else -1)
        frames.append({"name": f"f{k}", "true": true, "guess": guess, "sky": sky})
    result, tasks = run(tmp_path, frames, reference(tmp_path, sky))
    for task, frame in zip(tasks, frames, strict=True):
        answer = result.frames[task.frame]
        assert answer.product == task.target
        assert np.median(error_px(task.target, frame["true"])) < 0.03
        assert error_px(task.target, frame["true"]).max() < 0.12
        header = read_header(task.target)
        assert header["ASTRNMAT"] >= 25
        assert 0 < header["ASTRRMS1"] * 3600 < 0.05
        assert 0 < header["ASTRRMS2"] * 3600 < 0.05
        assert "stars.csv" in header["ASTRCAT"]
        assert header["PPTEST"] == tasks.index(task)
        assert "astrometry" in str(header["HISTORY"])
        assert answer.measurements["FWHM"] == pytest.approx(2.3548 * 1.4, rel=0.05)
        before, after = read_frame(task.source), read_frame(task.target)
        np.testing.assert_array_equal(before.image, after.image)
        np.testing.assert_array_equal(before.mask, after.mask)


def test_an_old_wcs_leaves_nothing_behind(tmp_path, sky):
    true = camera(RA, DEC)
    cards = {"PV1_1": 1.0, "PV1_17": 0.001, "PV2_1": 1.0, "CROTA2": 5.0, "EQUINOX": 1950.0, "LONPOLE": 180.0}
    frames = [{"name": "f", "true": true, "guess": true, "sky": sky, "cards": cards}]
    run(tmp_path, frames, reference(tmp_path, sky))
    header = read_header(tmp_path / "azsfpf.fits")
    assert not [k for k in header if k.startswith("PV") or k in ("CROTA2", "EQUINOX", "CDELT1")]
    assert error_px(tmp_path / "azsfpf.fits", true).max() < 0.15


def test_proper_motions_are_applied(tmp_path, sky):
    rng = np.random.default_rng(3)
    pm = rng.normal(60, 20, (2, len(sky.ra)))
    years = 2025.5 - 1991.25
    old = Sky(sky.ra - pm[0] * years / 3.6e6 / np.cos(np.radians(sky.dec)), sky.dec - pm[1] * years / 3.6e6, sky.flux)
    true = camera(RA, DEC)
    frames = [{"name": "f", "true": true, "guess": true, "sky": sky}]
    run(tmp_path, frames, reference(tmp_path, old, pm=pm, epoch=1991.25))
    # Two arcsec of motion, 6 px, and its scatter of 2 px are gone.
    assert np.median(error_px(tmp_path / "azsfpf.fits", true)) < 0.04


@pytest.mark.parametrize("guess", [None, camera(RA + 3.0, DEC - 2.0, turn=-35.0)])
def test_a_useless_header_is_searched_about_the_requested_position(tmp_path, sky, guess):
    true = camera(RA, DEC, turn=100.0)
    frames = [{"name": "f", "true": true, "guess": guess, "sky": sky, "cards": {"OBSRA": RA + 0.03, "OBSDEC": DEC}}]
    result, _ = run(tmp_path, frames, reference(tmp_path, sky))
    assert not isinstance(result.frames["f"], FrameError), result.frames["f"]
    assert np.median(error_px(tmp_path / "azsfpf.fits", true)) < 0.05
    assert read_header(tmp_path / "azsfpf.fits")["ASTRNMAT"] > 20


def test_a_frame_without_stars_fails_in_words_and_the_others_go_on(tmp_path, sky):
    true = camera(RA, DEC)
    frames = [{"name": "good", "true": true, "guess": true, "sky": sky},
              {"name": "cloudy", "true": true, "guess": true, "sky": sky, "depth": 1e-4}]
    result, _ = run(tmp_path, frames, reference(tmp_path, sky))
    assert result.frames["good"].product is not None
    assert isinstance(result.frames["cloudy"], FrameError)
    assert "0 stars found, 5 needed" in str(result.frames["cloudy"])
    assert not (tmp_path / "azsfpcloudy.fits").exists()


def test_an_unreadable_frame_fails_and_the_others_go_on(tmp_path, sky):
    true = camera(RA, DEC)
    frames = [{"name": n, "true": true, "guess": true, "sky": sky} for n in ("a", "b")]
    _, tasks = run(tmp_path, frames, reference(tmp_path, sky))
    tasks[0].source.write_bytes(b"SIMPLE  =")
    group = GroupTask("field_r", "field", "r", tuple(tasks))
    result = run_group(group, AstrometryParams(), Here(tmp_path, reference(tmp_path, sky)))
    assert isinstance(result.frames["a"], FrameError)
    assert result.frames["b"].product is not None


def test_a_frame_beyond_the_catalogue_is_tied_to_a_solved_one(tmp_path, sky):
    inside = camera(RA - 0.012, DEC)
    beyond = camera(RA + 0.022, DEC, turn=0.3)
    west = np.flatnonzero(sky.ra < RA - 0.003)
    frames = [{"name": "in", "true": inside, "guess": inside, "sky": sky},
              {"name": "out", "true": beyond, "guess": camera(RA + 0.027, DEC), "sky": sky}]
    result, _ = run(tmp_path, frames, reference(tmp_path, sky, chosen=west))
    answer = result.frames["out"]
    assert not isinstance(answer, FrameError), answer
    assert "tied" in answer.reason
    assert np.median(error_px(tmp_path / "azsfpout.fits", beyond)) < 0.2


def test_a_pointing_beyond_the_catalogue_is_aligned_apart(tmp_path, sky):
    places = [-0.03, -0.029, 0.04, 0.042]
    west = np.flatnonzero(sky.ra < RA)
    frames = [{"name": f"f{k}", "true": camera(RA + east, DEC), "guess": camera(RA + east, DEC + 0.004), "sky": sky}
              for k, east in enumerate(places)]
    result, tasks = run(tmp_path, frames, reference(tmp_path, sky, chosen=west))
    headers = [read_header(t.target) for t in tasks]
    assert [h.get("ASTRGRP", 0) for h in headers] == [0, 0, 1, 1]
    assert np.median(mismatch_px(headers[2], headers[3], frames[2]["true"], frames[3]["true"])) < 0.05
    assert "aligned relative to 1 other frame" in result.frames["f2"].reason


def test_another_places_catalogue_leads_to_relative_alignment_not_to_a_wrong_wcs(tmp_path, sky):
    rng = np.random.default_rng(8)
    foreign = Sky(rng.permutation(sky.ra), rng.permutation(sky.dec), sky.flux)
    true = camera(RA, DEC)
    frames = [{"name": n, "true": true, "guess": true, "sky": sky} for n in ("a", "b")]
    result, _ = run(tmp_path, frames, reference(tmp_path, foreign))
    for name in "ab":
        assert read_header(tmp_path / f"azsfp{name}.fits")["ASTRCAT"] == "relative"
        assert "no match with the reference catalogue" in result.frames[name].reason


def test_without_catalogue_frames_are_aligned_to_each_other_pointing_by_pointing(tmp_path, sky):
    places = [(0.0, 0.0), (0.009, -0.012), (-0.011, 0.008), (0.055, 0.0), (0.058, 0.009)]
    frames = []
    for k, (east, north) in enumerate(places):
        true = camera(RA - 0.02 + east, DEC + north, turn=0.05 * k)
        frames.append({"name": f"f{k}", "true": true, "guess": camera(RA, DEC), "sky": sky})
    result, tasks = run(tmp_path, frames, offline(tmp_path))
    headers = [read_header(t.target) for t in tasks]
    assert {h["ASTRCAT"] for h in headers} == {"relative"}
    numbers = [h["ASTRGRP"] for h in headers]
    assert numbers[0] == numbers[1] == numbers[2] != numbers[3] == numbers[4]
    for a, b in ((0, 1), (0, 2), (1, 2), (3, 4)):
        assert np.median(mismatch_px(headers[a], headers[b], frames[a]["true"], frames[b]["true"])) < 0.05
    assert "aligned relative" in result.frames["f0"].reason


def mismatch_px(one, other, true_one, true_other):
    """Return how far two headers disagree about pixels that show the same sky."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(0, SHAPE[1], 20.0), np.arange(0, SHAPE[0], 20.0)))
    u, v = true_other.all_world2pix(*true_one.all_pix2world(x, y, 0), 0)
    both = (u > 0) & (v > 0) & (u < SHAPE[1]) & (v < SHAPE[0])
    p, q = WCS(other).all_world2pix(*WCS(one).all_pix2world(x[both], y[both], 0), 0)
    return np.hypot(p - u[both], q - v[both])


def test_a_lone_frame_without_catalogue_keeps_its_header_and_says_so(tmp_path, sky):
    true = camera(RA, DEC)
    result, _ = run(tmp_path, [{"name": "f", "true": true, "guess": true, "sky": sky}], offline(tmp_path))
    header = read_header(tmp_path / "azsfpf.fits")
    assert header["ASTRNMAT"] == 0
    assert "ASTRRMS1" not in header
    assert error_px(tmp_path / "azsfpf.fits", true).max() < 0.01
    assert "no other frame overlaps" in result.frames["f"].reason


def test_headers_without_any_position_are_still_aligned(tmp_path, sky):
    frames = [{"name": f"f{k}", "true": camera(RA + 0.004 * k, DEC), "guess": None, "sky": sky} for k in range(3)]
    result, tasks = run(tmp_path, frames, offline(tmp_path))
    assert not any(isinstance(r, FrameError) for r in result.frames.values())
    headers = [read_header(t.target) for t in tasks]
    assert {h["ASTRGRP"] for h in headers} == {1}
    assert np.median(mismatch_px(headers[0], headers[1], frames[0]["true"], frames[1]["true"])) < 0.05


@pytest.mark.data
@pytest.mark.skipif(not RATIR.is_dir(), reason="the real frames of ../shared/data/ratir are not here")
def test_real_frames_are_aligned_within_their_pointings(tmp_path):
    """Checked without stars: the cross-correlation of the aligned frames peaks at no shift."""
    from scipy.ndimage import map_coordinates

    tasks = []
    for path in sorted(RATIR.glob("*C1o.fits")):
        raw = fits.getdata(path).astype(np.float32)[75:1000, 15:1000]
        raw -= np.median(raw)
        header = fits.Header({"PIXSCALE": 0.318, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 313.2,
                              "CRVAL2": 6.66, "CRPIX1": 497.0, "CRPIX2": 437.0, "CD1_1": -0.3171 / 3600,
                              "CD2_2": 0.3191 / 3600, "CD1_2": 0.0, "CD2_1": 0.0})
        source = tmp_path / path.name
        write_frame(source, Frame(raw, np.zeros(raw.shape, np.uint8), header))
        tasks.append(FrameTask(path.stem, source, tmp_path / f"a{path.name}"))
    result = run_group(GroupTask("p_i", "p", "i", tuple(tasks)), AstrometryParams(), Here(tmp_path, offline(tmp_path)))
    assert not any(isinstance(r, FrameError) for r in result.frames.values())
    groups: dict[int, list[FrameTask]] = {}
    for task in tasks:
        groups.setdefault(read_header(task.target)["ASTRGRP"], []).append(task)
    assert sorted(len(g) for g in groups.values()) == [2, 3]
    for members in groups.values():
        first, second = (read_frame(t.target) for t in members[:2])
        one, other = WCS(first.header), WCS(second.header)
        y, x = np.mgrid[0:925:1.0, 0:985:1.0]
        u, v = other.all_world2pix(*one.all_pix2world(x.ravel(), y.ravel(), 0), 0)
        inside = ((u > 5) & (v > 5) & (u < 979) & (v < 919)).reshape(y.shape)
        moved = map_coordinates(second.image, [v, u], order=1, mode="nearest").reshape(y.shape)
        a, b = (np.where(inside, np.clip(p, 0, 2000), 0) for p in (first.image, moved))
        product = np.fft.fftshift(np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), a.shape))
        peak = np.unravel_index(np.argmax(product), product.shape)
        near = product[peak[0] - 2 : peak[0] + 3, peak[1] - 2 : peak[1] + 3]
        near = near - near.min()
        centroid = [(near.sum(axis=1 - k) * np.arange(-2, 3)).sum() / near.sum() for k in (0, 1)]
        offset = [centroid[k] + peak[k] - a.shape[k] // 2 for k in (0, 1)]
        assert np.hypot(*offset) < 0.2
