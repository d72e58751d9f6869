"""Nights with known truth, for the demo, the tests and the benchmarks."""

from .faults import write_frame_slowly
from .large import large_night
from .night import demo_night, simulate_night
from .options import NightOptions
from .truth import ChannelTruth, FrameTruth, Truth, load_truth

__all__ = [
    "ChannelTruth",
    "FrameTruth",
    "NightOptions",
    "Truth",
    "demo_night",
    "large_night",
    "load_truth",
    "simulate_night",
    "write_frame_slowly",
]
