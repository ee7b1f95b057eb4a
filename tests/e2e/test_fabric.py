# SPDX-License-Identifier: MIT
"""The fat-tree: every host reaches every other, over all the equal-cost paths that there are."""
import json
from pathlib import Path

import pytest
from lab import fabric

SEED = Path("/proc/sys", fabric.SEED.replace(".", "/"))
needs_seeds = pytest.mark.skipif(
    not SEED.exists(), reason=f"{SEED.name}: without it all routers hash alike")

PROBE = """
import json, select, socket, sys
family, port, addresses = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind(("", port))
print("bound", flush=True)
for line in sys.stdin:
    for address in addresses:
        s.sendto(b"x", (address, port))
    heard = set()
    while len(heard) < len(addresses) and select.select([s], [], [], 10)[0]:
        heard.add(s.recvfrom(16)[1][0])
    print(json.dumps(sorted(heard)), flush=True)
"""


@pytest.fixture(scope="module")
def tree():
    with fabric.fat_tree(k=4, seed=1) as lab:
        yield lab


def hosts(lab):
    return [lab.nodes[label] for label in lab.topology.hosts]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_all_pairs_reach_each_other(tree, family):
    number = {"ip4": 2, "ip6": 10}[family]
    everybody = [getattr(host, family) for host in hosts(tree)]
    assert len(set(everybody)) == 16
    probes = []
    for host in hosts(tree):
        others = [address for address in everybody if address != getattr(host, family)]
        probes.append(host.popen(["/usr/bin/python3", "-c", PROBE, number, 4000 + number,
                                  json.dumps(others)], stdin=-1, stdout=-1, text=True))
    for probe in probes:
        assert probe.stdout.readline() == "bound\n"
    for probe in probes:
        probe.stdin.write("go\n")
        probe.stdin.flush()
    for host, probe in zip(hosts(tree), probes):
        heard = json.loads(probe.stdout.readline())
        assert heard == sorted(set(everybody) - {getattr(host, family)}), host.label
        probe.stdin.close()
        probe.wait(10)
        probe.stdout.close()


def paths(lab, source, target, count=64):
    return [tuple(lab.path_of(lab.host(source), lab.host(target), port, 5000))
            for port in range(20000, 20000 + count)]


@needs_seeds
def test_ports_spread_over_edge_and_aggregation(tree):
    """To another pod over 4 cores, within the pod over 2 aggregation routers, on the edge over 0."""
    far, near = paths(tree, 0, 12), paths(tree, 0, 2)
    assert {len(path) for path in far} == {5} and {len(path) for path in near} == {3}
    assert len({path[1] for path in far}) == 2 and len({path[2] for path in far}) == 4
    assert len(set(far)) == 4 and len(set(near)) == 2
    assert set(paths(tree, 0, 1)) == {("edge0-0",)}


@needs_seeds
def test_ipv6_spreads_over_all_links(tree):
    """By the counters: what the kernel answers about IPv6 routes is not what it does."""
    source, target = tree.host(3), tree.host(13)
    before = [tree.nodes[f"agg0-{i}"].tx_bytes() for i in range(2)]
    source.run(["/usr/bin/python3", "-c", f"""
import socket
for port in range(21000, 21128):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("", port))
    s.sendto(bytes(300), ({target.ip6!r}, 9))
"""])
    after = [tree.nodes[f"agg0-{i}"].tx_bytes() for i in range(2)]
    sent = [late[core] - early[core] for early, late in zip(before, after)
            for core in late if core.startswith("core")]
    assert len(sent) == 4 and sum(sent) >= 128 * 300
    assert min(sent) > 10 * 300, sent


@needs_seeds
def test_routers_hash_differently_unless_polarised(tree):
    """Polarised, the aggregation agrees with the edge: 2 of the 4 cores see no packet."""
    with fabric.fat_tree(k=4, seed=1, polarised=True) as lab:
        alike = {path[2] for path in paths(lab, 0, 12)}
    assert len(alike) == 2
    assert len({path[2] for path in paths(tree, 0, 12)}) == 4


@needs_seeds
def test_a_seed_decides_the_paths(tree):
    with fabric.fat_tree(k=4, seed=1) as lab:
        again = paths(lab, 5, 10, 32)
    with fabric.fat_tree(k=4, seed=2) as lab:
        other = paths(lab, 5, 10, 32)
    assert again == paths(tree, 5, 10, 32)
    assert other != again
