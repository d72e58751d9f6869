"""Which catalogue serves, and that trouble with the network is told in words."""

import numpy as np
import pytest

from photopipe_gui.errors import UsageError
from photopipe_gui.reduction.catalogs import CatalogConfig, astrometric, check, fetch, online, photometric
from photopipe_gui.reduction.catalogs.cache import ConeCache
from photopipe_gui.reduction.catalogs.model import separation
from photopipe_gui.reduction.progress import SilentReporter


class Sky:
    """Stands in for VizieR: a cone of stars for each survey, and a record of what was asked."""

    def __init__(self):
        self.asked = []
        self.fails = set()

    def __call__(self, survey, ra, dec, radius_deg, timeout):
        self.asked.append((survey.key, ra, dec, radius_deg))
        if survey.key in self.fails or "all" in self.fails:
            raise ConnectionError("no route to host")
        rng = np.random.default_rng(1)
        n = 200
        out = {survey.ra: ra + radius_deg * rng.uniform(-1, 1, n), survey.dec: dec + radius_deg * rng.uniform(-1, 1, n)}
        for name in survey.motions or ():
            out[name] = rng.normal(0, 10, n)
        r = rng.uniform(15, 20, n)
        for band, (mag, err) in survey.bands.items():
            out[mag] = r + {"u": 2.0, "g": 0.6, "B": 0.9, "V": 0.3}.get(band, 0.0)
            out[err] = np.full(n, 0.02)
        return out


@pytest.fixture
def sky(monkeypatch):
    fake = Sky()
    monkeypatch.setattr(online, "query_vizier", fake)
    return fake


@pytest.fixture
def config(tmp_path):
    return CatalogConfig(cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "survey", "band"),
    [("u", "SDSS", "u"), ("SDSS-G", "Pan-STARRS1", "g"), ("Z", "Pan-STARRS1", "z"), ("YISH", "Pan-STARRS1", "y"),
     ("B", "APASS", "B"), ("V", "APASS", "V"), ("R", "Pan-STARRS1", "R"), ("I", "Pan-STARRS1", "I"),
     ("J", "2MASS", "J"),
     ("H", "2MASS", "H"), ("K", "2MASS", "K")],
)
def test_survey_of_each_filter(sky, config, name, survey, band):
    catalog, key, reason = photometric(config, 150.0, 2.0, 0.1, name)
    assert key == band and survey in reason
    magnitude, error = catalog.magnitudes[band]
    assert np.isfinite(magnitude).sum() > 10 and np.nanmin(error) >= 0.02
    assert catalog.systems[band] == ("AB" if band in "ugrizy" else "Vega")


def test_sdss_takes_over_where_panstarrs_fails(sky, config):
    sky.fails = {"ps1"}
    _, _, reason = photometric(config, 150.0, 2.0, 0.1, "r")
    ConeCache(config.cache_dir).forget_silence("vizier")
    catalog, _, reason = photometric(CatalogConfig(cache_dir=config.cache_dir), 150.0, 2.0, 0.1, "u")
    assert catalog is not None and "SDSS" in reason


def test_gaia_gives_positions_at_its_epoch(sky, config):
    catalog, reason = astrometric(config, 150.0, 2.0, 0.1)
    assert catalog.epoch == 2016.0 and catalog.pmra is not None and "Gaia DR3" in reason
    assert (separation(150.0, 2.0, catalog.ra, catalog.dec) <= 0.1).all()


def test_nogaia_never_asks_gaia(sky, config):
    catalog, reason = astrometric(CatalogConfig(cache_dir=config.cache_dir, nogaia=True), 150.0, 2.0, 0.1)
    assert catalog is not None and "Pan-STARRS1" in reason
    assert all(key != "gaia" for key, *_ in sky.asked)


def test_a_covering_cone_is_used_again(sky, config):
    astrometric(config, 150.0, 2.0, 0.1)
    again, _ = astrometric(config, 150.01, 2.01, 0.1)
    assert len(sky.asked) == 1 and len(again)
    offline, reason = astrometric(CatalogConfig(cache_dir=config.cache_dir, offline=True), 150.0, 2.0, 0.1)
    assert len(offline) and "earlier" in reason
    far, reason = astrometric(CatalogConfig(cache_dir=config.cache_dir, offline=True), 151.0, 2.0, 0.1)
    assert far is None and "not fetched beforehand" in reason
    np.testing.assert_array_equal(offline.ra, astrometric(config, 150.0, 2.0, 0.1)[0].ra)


def test_a_damaged_cone_is_fetched_again(sky, config):
    astrometric(config, 150.0, 2.0, 0.1)
    (path,) = (config.cache_dir / "gaia").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert astrometric(config, 150.0, 2.0, 0.1)[0] is not None
    assert len(sky.asked) == 2


def test_no_network_is_told_once_and_not_waited_for_again(sky, config):
    sky.fails = {"all"}
    catalog, reason = astrometric(config, 150.0, 2.0, 0.1)
    assert catalog is None and "no route to host" in reason
    assert len(sky.asked) == 1, "the second service of the same host is not waited for"
    assert photometric(config, 150.0, 2.0, 0.1, "r")[0] is None
    assert len(sky.asked) == 1


def test_an_empty_answer_is_no_stars(monkeypatch, config):
    monkeypatch.setattr(online, "query_vizier", lambda *a: {})
    catalog, reason = astrometric(config, 150.0, 2.0, 0.1)
    assert catalog is None and "no stars" in reason


def test_unwritable_cache_does_not_matter(sky, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    catalog, _ = astrometric(CatalogConfig(cache_dir=blocked), 150.0, 2.0, 0.1)
    assert catalog is not None


def test_refcat_comes_first_and_derives(sky, tmp_path):
    path = tmp_path / "ref.csv"
    path.write_text("ra,dec,g,r,i\n150,2,16.5,16,15.8\n150.01,2,17.5,17,16.8\n")
    config = CatalogConfig(refcat=path, cache_dir=tmp_path / "c")
    assert len(astrometric(config, 150.0, 2.0, 0.1)[0]) == 2
    catalog, band, reason = photometric(config, 150.0, 2.0, 0.1, "R")
    assert band == "R" and "from" in reason and np.isfinite(catalog.magnitudes["R"][0]).all()
    assert not sky.asked
    catalog, band, reason = photometric(config, 150.0, 2.0, 0.1, "J")
    assert "2MASS" in reason, "a band that the file lacks comes from the network"


def test_custom_table_serves_its_filters_and_positions(sky, tmp_path):
    path = tmp_path / "custom.txt"
    path.write_text("ra dec r z\n150 2 16 15\n")
    config = CatalogConfig(customcat=path, customcatfilt=("SDSS-R",), cache_dir=tmp_path / "c")
    assert "custom.txt" in astrometric(config, 150.0, 2.0, 0.1)[1]
    assert "custom.txt" in photometric(config, 150.0, 2.0, 0.1, "r")[2]
    assert "Pan-STARRS1" in photometric(config, 150.0, 2.0, 0.1, "Z")[2]


def test_a_broken_refcat_is_words_in_a_run_and_an_error_before_it(tmp_path):
    path = tmp_path / "ref.csv"
    path.write_text("a,b\n1,2\n")
    config = CatalogConfig(refcat=path, offline=True, cache_dir=tmp_path / "c")
    catalog, reason = astrometric(config, 150.0, 2.0, 0.1)
    assert catalog is None and "right ascension" in reason
    with pytest.raises(UsageError):
        check(config)
    assert photometric(config, 150.0, 2.0, 0.1, "Halpha")[0] is None


def test_fetch_fills_the_cache_for_an_offline_night(sky, config):
    reporter = SilentReporter()
    done = fetch(config, [(150.0, 2.0, 0.1), (150.0, 2.0, 0.1), (150.005, 2.0, 0.1)], ["SDSS-R", "J", "u"], reporter)
    assert {one.survey for one in done} == {"Gaia DR3", "Pan-STARRS1 DR1", "SDSS DR12", "APASS DR9", "2MASS"}
    assert all(one.stars for one in done) and len(sky.asked) == 5, "near positions share a cone"
    sky.fails = {"all"}
    offline = CatalogConfig(cache_dir=config.cache_dir, offline=True)
    for name in ("SDSS-R", "J", "u"):
        assert photometric(offline, 150.0, 2.0, 0.1, name)[0] is not None
    assert len(reporter.results) == len(done)
