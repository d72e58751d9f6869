"""Frames follow the laws that their truth states."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from photopipe_gui.instruments import registry
from photopipe_gui.reduction.fitsio import read_pixels
from photopipe_gui.simulate import simulate_night
from photopipe_gui.simulate.cosmics import cosmic_rays
from photopipe_gui.simulate.detector import bias_image, dark_rate, fringes, response
from photopipe_gui.simulate.frames import FramePlan, make_image
from photopipe_gui.simulate.night import plan_frames
from photopipe_gui.simulate.options import make_options
from photopipe_gui.simulate.plan import Planner
from photopipe_gui.simulate.pointing import pixels_of, wcs_from_cards
from photopipe_gui.simulate.render import Sources, add_sources, add_trail, bleed, moffat_outside

QUIET = {"fringes": 0.0, "gradient": 0.0, "satellites": 0}


def planned(tmp_path, instrument, size=1.0, seed=3, **options) -> list[FramePlan]:
    chosen = make_options(registry.get(instrument), size, **options)
    return plan_frames(Planner(tmp_path, tmp_path / "truth", instrument, seed, chosen))


def windowed_centroid(stamp, fwhm):
    """Offset (x, y) of a star from the middle of a stamp, under a Gaussian window that follows it."""
    rows, columns = np.indices(stamp.shape) - stamp.shape[0] // 2
    x = y = 0.0
    for _ in range(20):
        weight = stamp * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / fwhm**2)
        x += 2 * ((columns - x) * weight).sum() / weight.sum()
        y += 2 * ((rows - y) * weight).sum() / weight.sum()
    return x, y


def one(plans, ftype) -> FramePlan:
    return next(plan for plan in plans if plan.truth.ftype == ftype)


def test_a_star_holds_its_electrons_and_stands_where_it_should():
    image = np.zeros((201, 201), np.float32)
    x, y = 100.37, 99.81
    star = Sources(*(np.array([v]) for v in (x, y, 1e5, 5.0, 0.05, 0.3)))
    add_sources(image, star, 3.2, 10.0)
    rows, columns = np.indices(image.shape)
    total = image.sum(dtype=float)
    assert total == pytest.approx(1e5, rel=1e-5)
    assert (image * columns).sum() / total == pytest.approx(x, abs=0.01)
    assert (image * rows).sum() / total == pytest.approx(y, abs=0.01)
    distance = np.hypot(columns - x, rows - y)
    round_star = dataclasses.replace(star, ellipticity=np.zeros(1))
    image[:] = 0
    add_sources(image, round_star, 3.2, 10.0)
    expected = 1 - moffat_outside(8.0, 5.0, 3.2)
    assert image[distance < 8].sum() / 1e5 == pytest.approx(expected, abs=0.006)


def test_stars_on_the_edge_are_cut_not_wrapped():
    image = np.zeros((60, 60), np.float32)
    edge = Sources(*(np.array([v]) for v in (-0.5, 30.0, 1000.0, 4.0, 0.0, 0.0)))
    add_sources(image, edge, 3.2, 1.0)
    assert image.sum() == pytest.approx(500, rel=0.12)
    assert image[:, 40:].sum() == 0


def test_bleeding_conserves_charge_and_keeps_to_the_column():
    image = np.full((200, 5), 10.0, np.float32)
    image[98:103, 2] = 5000.0
    before = image.sum(dtype=float)
    bleed(image, 1000.0)
    assert image.sum(dtype=float) == pytest.approx(before, rel=1e-6)
    assert image.max() == 1000.0
    full = np.flatnonzero(image[:, 2] >= 999)
    assert 23 <= len(full) <= 27 and abs(full.mean() - 100) < 1.5
    assert (image[:, [0, 1, 3, 4]] == 10).all()


def test_a_trail_is_a_line():
    image = np.zeros((80, 120), np.float32)
    rows, columns = add_trail(image, (0.0, 10.0), (119.0, 70.0), 100.0, 3.0)
    assert image.max() == pytest.approx(100, rel=0.02)
    assert np.abs(rows - (10 + columns * 60 / 119)).max() < 5
    steep = np.zeros((120, 80), np.float32)
    other = add_trail(steep, (10.0, 0.0), (70.0, 119.0), 100.0, 3.0)
    assert np.allclose(steep, image.T) and len(other[0]) == len(rows)


def test_noise_is_that_of_photons_and_readout(tmp_path):
    plans = planned(tmp_path, "ratir", cameras=(1,), filters=("i",), n_bias=2, n_dark=1, n_flat=4, cosmics=0.0)
    first, second = (p for p in plans if p.truth.ftype == "bias")
    detector = first.detector
    images = [make_image(plan)[0].astype(float) for plan in (first, second)]
    read_noise = np.std(images[0] - images[1]) / np.sqrt(2) * detector.gain
    rounding = detector.gain / np.sqrt(12)
    assert read_noise == pytest.approx(np.hypot(detector.levels.read_noise, rounding), rel=0.02)
    assert np.median(images[0]) == pytest.approx(640, abs=3)
    flats = [p for p in plans if p.truth.ftype == "flat"]
    plan = dataclasses.replace(flats[1], path=flats[1].path.with_name("again.fits"))
    a, b = (make_image(p)[0][100:900, 100:900].astype(float) for p in (flats[1], plan))
    signal = np.median(a) - 640
    variance = np.median(np.abs(a - b)) ** 2 / 2 / 0.6745**2
    expected = signal / detector.gain + (read_noise / detector.gain) ** 2
    assert variance == pytest.approx(expected, rel=0.03)


def test_detector_images_are_each_their_own(tmp_path):
    plans = planned(tmp_path, "lmi", 0.2, n_science=1)
    planner = Planner(tmp_path, tmp_path, "lmi", 3, make_options(registry.get("lmi"), 0.2))
    detector = plans[0].detector
    ((_, regions),) = planner.master_keys()
    flat = response(detector, regions[0])
    assert np.median(flat) == pytest.approx(1, abs=1e-3)
    assert (flat < 0.3).any() and flat.std() > 0.01
    assert not np.array_equal(flat, response(detector, regions[1]))
    assert fringes(detector, regions[0]) is None
    assert fringes(detector, regions[1]).std() == pytest.approx(0.015, rel=0.01)
    assert np.ptp(bias_image(detector)) > 2
    ratir = planned(tmp_path, "ratir", cameras=(1,), n_science=1)[0].detector
    rate = dark_rate(ratir)
    assert (rate > 0.6).sum() > 500 and 0.05 < np.median(rate) < 0.2


def test_overscan_sees_no_light(tmp_path):
    plan = one(planned(tmp_path, "lmi", 0.2, n_flat=4, n_science=1), "flat")
    image, _, _ = make_image(plan)
    y0, y1, x0, x1 = plan.truth.channels[0].area
    assert np.median(image[:, : x0 - 1]) == pytest.approx(1060, abs=6)
    assert np.median(image[y0:y1, x0:x1]) > 60000


@pytest.mark.parametrize(("instrument", "camera"), [("ratir", 1), ("ratir", 2), ("ratir", 3), ("rimas", 0), ("lmi", 0)])
def test_stars_are_where_the_true_wcs_says_and_as_bright(tmp_path, instrument, camera):
    filters = {("ratir", 1): "i", ("ratir", 2): "Z", ("ratir", 3): "J", ("rimas", 0): "J", ("lmi", 0): "SDSS-R"}
    size = 1.0 if instrument == "ratir" else 0.3
    plans = planned(
        tmp_path,
        instrument,
        size,
        cameras=(camera,),
        filters=(filters[instrument, camera],),
        n_science=1,
        noise=False,
        field="sparse",
        n_bias=0,
        n_dark=0,
        n_flat=0,
        **QUIET,
    )
    plan = one(plans, "object")
    part, detector = plan.regions[0], plan.detector
    y0, y1, x0, x1 = part.region.light
    rng = np.random.default_rng(5)
    gx, gy = (v.ravel() for v in np.meshgrid(np.linspace(x0 + 60, x1 - 60, 5), np.linspace(y0 + 60, y1 - 60, 5)))
    x, y = gx + rng.uniform(-0.5, 0.5, 25), gy + rng.uniform(-0.5, 0.5, 25)
    ra, dec = wcs_from_cards(plan.truth.wcs).all_pix2world(x, y, 0)
    flux = 0.35 * detector.saturation * detector.gain * part.fwhm[0] ** 2 / 0.4
    like = np.ones(25)
    stars = dataclasses.replace(
        part, ra=ra, dec=dec, electrons=like * flux, fwhm=like * part.fwhm[0], ellipticity=like * 0.04, angle=like
    )
    image, _, _ = make_image(dataclasses.replace(plan, regions=(stars,)))
    flat = response(detector, part.region)
    lit = (image - bias_image(detector) - dark_rate(detector) * plan.truth.exptime)[y0:y1, x0:x1]
    lit = lit / np.maximum(flat, 0.05) - part.sky / detector.gain
    rows, columns = np.mgrid[-30:31, -30:31]
    core = np.hypot(rows, columns) < 2 * part.fwhm[0]
    outside = moffat_outside(30.0, part.fwhm[0], plan.beta)
    magnitude = plan.truth.channels[0].zero_point - 2.5 * np.log10(flux / detector.gain)
    seen = 0
    for cx, cy in zip(x - x0, y - y0, strict=True):
        ix, iy = round(float(cx)), round(float(cy))
        box = (slice(iy - 30, iy + 31), slice(ix - 30, ix + 31))
        star, bad = lit[box], flat[box] < 0.4
        if bad[core].any() or image[y0 + iy, x0 + ix] >= detector.saturation:
            continue
        # Dead pixels in the wings are filled from the other side of the star.
        star = np.where(bad, star[::-1, ::-1], star)
        total = star[np.hypot(rows, columns) < 30].sum() / (1 - outside)
        assert total == pytest.approx(flux / detector.gain, rel=2e-3)
        assert plan.truth.channels[0].zero_point - 2.5 * np.log10(total) == pytest.approx(magnitude, abs=2e-3)
        assert windowed_centroid(star, part.fwhm[0]) == pytest.approx((cx - ix, cy - iy), abs=0.02)
        seen += 1
    assert seen >= 8


def test_the_true_wcs_reads_as_astropy_reads_it(tmp_path):
    for instrument, camera in (("ratir", 3), ("lmi", 0), ("rimas", 1)):
        plan = one(planned(tmp_path, instrument, 1.0, cameras=(camera,), n_science=1, n_flat=0), "object")
        rng = np.random.default_rng(1)
        x, y = rng.uniform(0, plan.detector.shape[1], 200), rng.uniform(0, plan.detector.shape[0], 200)
        ra, dec = wcs_from_cards(plan.truth.wcs).all_pix2world(x, y, 0)
        back_x, back_y = pixels_of(plan.truth.wcs, ra, dec)
        assert np.abs(back_x - x).max() < 1e-4 and np.abs(back_y - y).max() < 1e-4


def test_the_zero_point_is_the_magnitude_of_one_dn(tmp_path):
    plans = planned(tmp_path, "rimas", 0.3, cameras=(0,), filters=("J",), n_science=1, n_flat=0, sky="cloudy")
    plan = one(plans, "object")
    planner = Planner(tmp_path, tmp_path, "rimas", 3, make_options(registry.get("rimas"), 0.3, cameras=(0,)))
    field = planner.targets[0].sources
    part, channel = plan.regions[0], plan.truth.channels[0]
    ra, _ = field.positions(planner.year)
    magnitude = field.magnitudes["J"][np.isin(ra, part.ra)]
    dn = part.electrons / plan.detector.gain
    assert -2.5 * np.log10(dn) + channel.zero_point == pytest.approx(magnitude, abs=1e-3)


def test_a_large_galaxy_keeps_its_place_on_the_sky(tmp_path):
    plans = planned(
        tmp_path,
        "lmi",
        0.3,
        n_science=2,
        n_flat=0,
        n_bias=0,
        filters=("SDSS-R",),
        field="extended",
        noise=False,
        **QUIET,
    )
    peaks = []
    for plan in plans:
        empty = dataclasses.replace(plan.regions[0], electrons=plan.regions[0].electrons * 0)
        image, _, _ = make_image(dataclasses.replace(plan, regions=(empty,)))
        y0, _, x0, _ = plan.regions[0].region.light
        smooth = image[y0:, x0:].astype(float)[: 20 * 40, : 20 * 40].reshape(40, 20, 40, 20).mean(axis=(1, 3))
        row, column = np.unravel_index(smooth.argmax(), smooth.shape)
        sky = wcs_from_cards(plan.truth.wcs).all_pix2world([x0 + 20 * column + 10], [y0 + 20 * row + 10], 0)
        peaks.append(np.ravel(sky))
    first = plans[0].truth.wcs
    assert np.abs(np.diff([p[1] for p in peaks]))[0] * 3600 < 6
    assert abs(first["CRVAL1"] - plans[1].truth.wcs["CRVAL1"]) * 3600 > 10


def test_cosmic_rays_are_tracks_of_all_lengths():
    hits = cosmic_rays(np.random.default_rng(2), (1000, 1000), 400, 26.0, 16.0)
    sizes = np.bincount(hits.hit, minlength=hits.count)
    assert 300 < hits.count < 500
    assert np.percentile(sizes[sizes > 0], 10) <= 6 and sizes.max() > 25
    charge = np.bincount(hits.hit, hits.electrons)
    assert 1000 < np.median(charge) < 20000
    assert hits.rows.max() < 1000 and hits.columns.min() >= 0


def test_saturated_stars_are_clipped_and_bleed_on_ccds(tmp_path):
    plans = planned(tmp_path, "lmi", 0.3, n_science=1, n_flat=0, n_bias=0, filters=("SDSS-R",), **QUIET)
    plan = one(plans, "object")
    part = plan.regions[0]
    y0, y1, x0, x1 = part.region.light
    middle = wcs_from_cards(plan.truth.wcs).all_pix2world([(x0 + x1) / 2], [(y0 + y1) / 2], 0)
    bright = dataclasses.replace(
        part, ra=middle[0], dec=middle[1], electrons=np.array([3e8]), fwhm=np.array([4.0]), ellipticity=np.zeros(1),
        angle=np.zeros(1),
    )  # fmt: skip
    image, _, _ = make_image(dataclasses.replace(plan, regions=(bright,)))
    full = image >= plan.detector.saturation
    rows, columns = np.nonzero(full)
    assert image.max() == plan.detector.ceiling
    assert np.ptp(rows) > 3 * np.ptp(columns)


def test_a_raw_frame_holds_what_was_made(tmp_path):
    truth = simulate_night(tmp_path / "n", "rimas", 5, size=0.1, n_flat=2, n_science=1, cameras=(0,))
    frame = next(f for f in truth.frames if f.ftype == "object")
    values = read_pixels(tmp_path / "n" / frame.name)
    assert values.dtype == np.uint16
    assert np.median(values) == frame.channels[0].median
    hits = truth.cosmic_rays(frame)
    assert hits["hit"].max(initial=-1) < frame.cosmic_rays
    assert truth.cosmic_mask(frame, frame.channels[0].area).sum() <= len(hits["rows"])
