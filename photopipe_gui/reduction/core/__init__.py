"""Numerical kernels: arrays and tables in, arrays and tables out; no FITS, no paths, no header names."""
