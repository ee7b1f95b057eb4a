# SPDX-License-Identifier: MIT
"""docs/lab.md names what there is, and its commands are ones that the lab reads."""
import re
import shlex
from pathlib import Path

import pytest
from lab import command, fabric, failures, systems, workloads

PAGE = (Path(__file__).parents[2] / "docs" / "lab.md").read_text()


def test_all_names_are_there():
    named = set(re.findall(r"`([\w-]+)`", PAGE))
    assert set(workloads.WORKLOADS) | set(systems.SYSTEMS) <= named
    for what in failures.LABELS:
        assert f"`{what}" in PAGE


@pytest.mark.parametrize("line", re.findall(r"^    lab/subflow-lab ([^#\n]+)", PAGE, re.M))
def test_the_commands_can_be_read(line):
    options = command.parse(shlex.split(line))
    assert callable(options.do)
    if options.verb == "run":
        topology = fabric.topology_of(options)
        for step in options.fail or ():
            failures.parse(step, topology)
        assert options.topology in fabric.TOPOLOGIES
