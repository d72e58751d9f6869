"""The engine: frames in, masters and coadds out. Knows no screen."""
