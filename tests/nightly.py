"""What takes long and tries the same at more places is run with VIRTQUORUM_NIGHTLY=1 alone."""

from __future__ import annotations

import os
from typing import Final

import pytest

__all__ = ["NIGHTLY", "nightly"]

NIGHTLY: Final = os.environ.get("VIRTQUORUM_NIGHTLY") == "1"
#: A mark of tests, and of parameters.
nightly: Final = pytest.mark.skipif(not NIGHTLY, reason="VIRTQUORUM_NIGHTLY=1 tries more places")
