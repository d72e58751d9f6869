"""A small simulated night, reduced by the normal path, is as good as its figures ask; the report says so."""

from __future__ import annotations

import csv
import json
import math
import re

import pytest

from photopipe_gui.reduction.executor import make_executor
from photopipe_gui.reduction.progress import SilentReporter
from photopipe_gui.simulate.validate import Case, run_case
from photopipe_gui.simulate.validate_figures import WRONG, Figure, pull
from photopipe_gui.simulate.validate_report import figures_csv, write_report


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    with make_executor("serial") as executor:
        found = run_case(Case("lmi", "clear", 4, True), folder, SilentReporter(), executor, 1, keep=True,
                         size=0.26, n_bias=4, n_flat=6, n_science=4, cosmics=4.0)  # fmt: skip
    return folder, found


def test_masters_are_near_the_best(result):
    masters = result[1].score.masters
    assert {one.kind for one in masters} == {"bias", "flat"}
    assert all(0.9 < one.ratio < 1.3 for one in masters), masters


def test_astrometry_is_right(result):
    frames = result[1].score.astrometry
    assert len(frames) == 4
    assert all(one.catalogue and one.median < WRONG for one in frames)
    assert sorted(one.median for one in frames)[len(frames) // 2] < 0.1


def test_zero_points_are_right_and_their_errors_honest(result):
    frames = result[1].score.zero_points
    assert len(frames) == 4
    assert all(abs(one.error) < 0.02 for one in frames), [one.error for one in frames]
    assert all(abs(pull(one)) < 5 for one in frames), [pull(one) for one in frames]


def test_cosmic_rays_are_found_and_stars_left_alone(result):
    cosmics = result[1].score.cosmics
    hits, found = sum(one.hits for one in cosmics), sum(one.found for one in cosmics)
    assert hits > 50
    assert found / hits > 0.9
    assert sum(one.star_pixels_touched for one in cosmics) <= 0.001 * sum(one.star_pixels for one in cosmics)


def test_coadd_is_right(result):
    (coadd,) = result[1].score.coadds
    assert coadd.frames == 4 and coadd.stars >= 5
    assert abs(coadd.offset) < 0.02
    assert coadd.position < 0.15


def test_sky_is_flat_and_the_coadd_deep(result):
    sky, (depth,) = result[1].sky, result[1].depth
    assert all(one.residual < 0.2 for one in sky)
    assert 0.7 < depth.noise_ratio < 1.15
    assert 0.9 < depth.fwhm_ratio < 1.1


def test_report_holds_every_figure(result):
    folder, found = result
    path = write_report(folder, [found])
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("</svg>") >= 5
    assert not re.search(r'(src|href)="', page), "the page must stand alone"
    assert found.case.command in page
    rows = list(csv.DictReader((folder / "figures.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(found.figures) >= 14
    data = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
    assert data["cases"][0]["seconds"]["astrometry"] >= 0
    assert data["cases"][0]["met"] == all(row["met"] == "True" for row in rows)


def test_a_figure_that_is_short_or_missing_shows(result):
    assert not Figure("t", "n", 1.0, 1.1).met
    assert Figure("t", "n", 1.0, 1.1, least=True).met
    assert Figure("t", "n", 1.0, math.nan).met and not Figure("t", "n", 1.0, math.nan, needed=True).met
    assert figures_csv([result[1]]).count("\n") == len(result[1].figures) + 1
