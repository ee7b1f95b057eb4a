# SPDX-License-Identifier: MIT
"""The ways that flows take, by what the routers saw pass: true for both families, whoever hashes."""
import collections
import json

RULES = """
table inet trace {
  set seen {
    type ifname . ifname . inet_service
    flags dynamic
    size 65535
  }
  chain forward {
    type filter hook forward priority 0
    meta l4proto tcp meta length > 200 update @seen { iifname . oifname . tcp sport }
  }
}
"""


class Trace:
    """Packets with data, of which probes have none. Begins when it is made."""

    def __init__(self, lab):
        self.routers = [lab.nodes[label] for label in lab.topology.routers]
        for node in self.routers:
            node.run(["nft", "-f", "-"], input=RULES)

    def links(self):
        """{source port: the links that it has passed, as (from, to) of labels}."""
        links = collections.defaultdict(set)
        for node in self.routers:
            answer = json.loads(node.run(["nft", "-j", "list", "set", "inet", "trace", "seen"]))
            (seen,) = [entry["set"] for entry in answer["nftables"] if "set" in entry]
            for element in seen.get("elem", []):
                before, after, port = element["concat"]
                links[port] |= {(before, node.label), (node.label, after)}
        return links
