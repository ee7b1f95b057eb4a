# SPDX-License-Identifier: MIT
"""What the front doors of the tests say to who may not use them."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = ["setpriv", "--reuid=65534", "--clear-groups"]


@pytest.mark.parametrize("script, target", [("check.py", "check"), ("check_kernels.py", "check-kernels")])
def test_without_root_nothing_is_begun(script, target):
    done = subprocess.run([*NOBODY, "/usr/bin/python3", ROOT / "tests" / script], text=True, capture_output=True,
                          timeout=20)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith(f"make {target}: not root") and done.stderr.endswith(f"sudo make {target}\n")
