"""The three tabs of the window."""
