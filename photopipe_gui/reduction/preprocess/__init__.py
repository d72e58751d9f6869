"""Choosing frames and building master frames."""
