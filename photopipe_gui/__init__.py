"""Choose a night's frames, build its master frames and reduce it to calibrated coadds."""

__version__ = "0.1.0"
