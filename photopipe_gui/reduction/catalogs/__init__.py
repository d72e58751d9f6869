"""Reference catalogues: local file, custom text table, online with a disk cache."""

from .bands import band_of
from .config import CatalogConfig
from .fetch import Fetched, fetch
from .lookup import astrometric, check, photometric
from .model import ReferenceCatalog

__all__ = [
    "CatalogConfig",
    "Fetched",
    "ReferenceCatalog",
    "astrometric",
    "band_of",
    "check",
    "fetch",
    "photometric",
]
