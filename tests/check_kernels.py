#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tests on Debian's stock kernels alone. The last line is `N passed, N failed, N skipped`.

usage: check_kernels.py [SERIES [ARGUMENTS OF PYTEST]]
"""
import os
import sys

from kernels.matrix import SERIES, run_kernels
from tally import Tally


def main():
    if os.geteuid():
        print("make check-kernels: not root, and guests are given the host's files in mount namespaces: "
              "sudo make check-kernels", file=sys.stderr)
        return 1
    tally, arguments = Tally(), sys.argv[1:]
    run_kernels(tally, arguments[:1] or SERIES, arguments[1:])
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
