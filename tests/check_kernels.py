#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tests on Debian's stock kernels alone. The last line is `N passed, N failed, N skipped`.

usage: check_kernels.py [SERIES [ARGUMENTS OF PYTEST]]
"""
import sys

from kernels.matrix import SERIES, run_kernels
from tally import Tally


def main():
    tally, arguments = Tally(), sys.argv[1:]
    run_kernels(tally, arguments[:1] or SERIES, arguments[1:])
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
