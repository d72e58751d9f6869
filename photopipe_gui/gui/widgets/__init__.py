"""Thin widgets bound to models."""
