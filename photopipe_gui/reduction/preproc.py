"""The calls under the sub-path that scripts for older versions of PhotoPipe use."""

from __future__ import annotations

from .preprocess.choose import choose_calib, choose_science
from .preprocess.master import mkmaster

__all__ = ["choose_calib", "choose_science", "mkmaster"]
