# SPDX-License-Identifier: MIT
"""What benchmarks make of their rounds, where running one takes too long for a test."""
import importlib.machinery
import importlib.util

from conftest import ROOT


def bench(name):
    """The command as a module."""
    loader = importlib.machinery.SourceFileLoader(f"bench_{name}", str(ROOT / "bench" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_the_fabrics_of_a_black_hole_have_four_paths_and_each_a_bottleneck_of_its_own():
    for topology in bench("recover").FABRICS.values():
        source, target = topology.hosts[0], topology.hosts[-1]
        assert topology.paths(source, target) == 4
        shaped = [link for *link, rate in topology.links if rate]
        assert {top for _, top in shaped} == set(topology.routers[-4:])
