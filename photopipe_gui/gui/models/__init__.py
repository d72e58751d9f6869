"""Models on QtCore alone: they need no display."""
