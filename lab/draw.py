# SPDX-License-Identifier: MIT
"""Pictures of topologies: Graphviz text, and SVG of our own, with the load of links as colour."""
import collections
from xml.sax.saxutils import escape

STEP_X, STEP_Y, MARGIN = 64, 110, 50
RADIUS = 15
BEND = .3  # of what is between two of one tier


def tiers(topology):
    """Lists of labels: hosts, then the routers by their distance from the nearest host."""
    distance = {label: 0 for label in topology.hosts}
    queue = collections.deque(topology.hosts)
    while queue:
        label = queue.popleft()
        for neighbour in topology.neighbours(label):
            if neighbour not in distance:
                distance[neighbour] = distance[label] + 1
                queue.append(neighbour)
    found = collections.defaultdict(list)
    for label in topology.hosts + topology.routers:
        found[distance[label]].append(label)
    return [found[level] for level in sorted(found)]


def dot(topology):
    lines = ["graph fabric {", "  rankdir=BT; node [shape=box];"]
    for tier in tiers(topology):
        lines.append("  { rank=same; " + " ".join(f'"{label}";' for label in tier) + " }")
    for a, b, rate_mbit in topology.links:
        label = f' [label="{rate_mbit}"]' if rate_mbit else ""
        lines.append(f'  "{a}" -- "{b}"{label};')
    return "\n".join(lines + ["}", ""])


def colour(load):
    """From grey over yellow to red; load 0 to 1."""
    stops = ((0, (205, 210, 215)), (.5, (240, 200, 60)), (1, (200, 30, 30)))
    load = min(1, max(0, load))
    for (low, a), (high, b) in zip(stops, stops[1:]):
        if load <= high:
            part = (load - low) / (high - low)
            return "#" + "".join(f"{round(x + (y - x) * part):02x}" for x, y in zip(a, b))
    return "#c81e1e"


IDLE = colour(0)


def places(topology):
    """{label: (x, y)}."""
    levels = tiers(topology)
    width = max(len(level) for level in levels) * STEP_X
    return {label: (MARGIN + (i + .5) * width / len(level),
                    MARGIN + (len(levels) - 1 - height) * STEP_Y)
            for height, level in enumerate(levels) for i, label in enumerate(level)}


def way(start, end, shift):
    """An SVG path from one place to another; in one tier it goes around those in between."""
    (x1, y1), (x2, y2) = start, end
    if y1 != y2:
        return f"M {x1 + shift:.1f} {y1:.1f} L {x2 + shift:.1f} {y2:.1f}"
    top = y1 - min(abs(x2 - x1) * BEND, 1.6 * MARGIN)  # it comes half as far
    return f"M {x1:.1f} {y1 + shift:.1f} Q {(x1 + x2) / 2:.1f} {top + shift:.1f} {x2:.1f} {y2 + shift:.1f}"


def svg(topology, links_mbps=None, title="fabric"):
    """The fabric. links_mbps {"a>b": Mbit/s} colours both directions of each link by its load; one that
    is not shaped has none, and is grey. Those that have a colour by it are of the class "data link"."""
    at = places(topology)
    width = max(x for x, _ in at.values()) + MARGIN
    height = max(y for _, y in at.values()) + MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
             f'style="max-width: {1.2 * width:.0f}px" font-family="sans-serif" font-size="10"><title>{escape(title)}</title>']
    for a, b, rate_mbit in topology.links:
        for shift, (source, target) in ((-2, (a, b)), (2, (b, a))):
            name = shown = f"{source}>{target}"
            load = 0
            if links_mbps:
                carried = links_mbps.get(name, 0)
                load = carried / rate_mbit if rate_mbit else 0
                shown += f": {carried:.1f} Mbit/s, " + (f"{load:.0%}" if rate_mbit else "no rate")
            kind = ' class="data link"' * (colour(load) != IDLE)
            parts.append(f'<path{kind} d="{way(at[a], at[b], shift)}" fill="none" stroke="{colour(load)}" '
                         f'stroke-width="3.4"><title>{escape(shown)}</title></path>')
    for label, (x, y) in at.items():
        kind = "#dfe9f5" if label in topology.routers else "#ffffff"
        parts.append(f'<rect x="{x - 26:.1f}" y="{y - RADIUS:.1f}" width="52" height="{2 * RADIUS}" '
                     f'rx="5" fill="{kind}" stroke="#333"/><text x="{x:.1f}" y="{y + 3.5:.1f}" '
                     f'text-anchor="middle">{escape(label)}</text>')
    return "".join(parts) + "</svg>\n"
