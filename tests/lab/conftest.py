# SPDX-License-Identifier: MIT
"""The lab and the benchmarks where they need neither root nor a network."""
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench"), str(ROOT / "tests")]
