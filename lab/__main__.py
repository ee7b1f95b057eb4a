# SPDX-License-Identifier: MIT
"""python3 -m lab: the same as subflow-lab."""
import sys

from lab.command import main

sys.exit(main())
