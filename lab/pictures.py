# SPDX-License-Identifier: MIT
"""The report's figures: goodput, completion times, throughput over time, loads of links."""
import argparse
import io
import statistics

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402: the backend comes first

from lab import draw, fabric, failures, paired, systems  # noqa: E402
from lab.page import figure, keys, text  # noqa: E402
from lab.plot import COLOURS  # noqa: E402

# The same in every picture; others take what is left.
OF_SYSTEM = {"tcp": "#8a94a0", "mptcp": "#56b4e9", "random4": "#e69f00", "random8": "#d55e00",
             "rule-kernel": "#cc79a7", "rule-random": "#7b5ea7", "subflow": "#009e73"}
SPARE = ("#0072b2", "#a6761d", "#666666", "#c2a500")
LOOK = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#8a94a0",
        "axes.labelcolor": "#1f2933", "text.color": "#1f2933", "xtick.color": "#1f2933",
        "ytick.color": "#1f2933", "axes.axisbelow": True, "grid.color": "#e4e8ed"}
# Of what was decided: lines of text above the curves, and the part of the width that a letter takes.
NOTE_ROWS, NOTE_WIDTH = 3, .0125
CLASSES = (("mice, below 100 kB", 0, 1e5), ("from there to the threshold", 1e5, None),
           ("elephants", None, float("inf")))


def by(found, *keys):
    """{(values of the keys): [results]}, in the order of their first appearance."""
    groups = {}
    for result in found:
        groups.setdefault(tuple(result[key] for key in keys), []).append(result)
    return groups


def order(names):
    known = list(systems.SYSTEMS)
    return sorted(set(names), key=lambda n: (known.index(n) if n in known else len(known), n))


def about_system(name):
    return systems.SYSTEMS[name].about if name in systems.SYSTEMS else name


def colour(name, names):
    others = [n for n in names if n not in OF_SYSTEM]
    return OF_SYSTEM.get(name) or SPARE[others.index(name) % len(SPARE)]


def key_of(names):
    return {about_system(name): colour(name, names) for name in names}


def ceiling(result):
    """Mbit/s of a flow that has its path for itself."""
    return result.get("ceiling_mbps") or result["shape"]["rate"]


def plotted(caption, paint, key, size=(10, 4), columns=1, **options):
    """A figure of what paint(axes) draws; key: {text: colour}. What shows data has a gid "data ..." of its
    kind, which becomes its class: so who looks at the page can tell it from axes and grid, and count it."""
    with matplotlib.rc_context({"svg.hashsalt": caption, **LOOK}):
        shape, axes = pyplot.subplots(1, columns, figsize=size, layout="constrained", **options)
        paint(axes)
        buffer = io.StringIO()
        shape.savefig(buffer, format="svg", metadata={"Date": None})
        pyplot.close(shape)
    picture = buffer.getvalue().replace('<g id="data ', '<g class="data ')
    return figure(keys(key) + picture[picture.index("<svg"):], caption)


def goodput_bars(rated):
    """Bars of the median, whiskers from the worst seed to the best, a dot for each."""
    groups, names = by(rated, "workload"), order(r["system"] for r in rated)
    counts = sorted(map(len, by(rated, "workload", "system").values()))
    seeds = str(counts[0]) + f" to {counts[-1]}" * (counts[0] < counts[-1])

    def paint(axes):
        width, top = .84 / len(names), 1.0
        for i, name in enumerate(names):
            for x, runs in enumerate(groups.values()):
                shares = [r["mean_mbps"] / ceiling(r) for r in runs if r["system"] == name]
                if not shares:
                    continue
                at, middle = x + (i + .5) * width - .42, statistics.median(shares)
                axes.bar(at, middle, width * .9, color=colour(name, names), gid="data bar")
                if len(shares) > 1:
                    axes.plot([at] * 2, [min(shares), max(shares)], "_-", color="#1f2933", linewidth=1, markersize=6,
                              gid="data whisker")
                    axes.plot([at] * len(shares), shares, ".", color="#1f2933", markersize=5, alpha=.6,
                              gid="data seeds")
                axes.annotate(f"{middle:.2f}", (at, max(shares)), (0, 5), ha="center", fontsize=8,
                              textcoords="offset points", gid="data value",
                              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
                top = max(top, *shares)
        axes.set_xticks(range(len(groups)), [workload for (workload,) in groups])
        axes.tick_params(axis="x", length=0)
        axes.axhline(1, color="#1f2933", linewidth=1, linestyle="--")
        axes.set(ylabel="goodput / ceiling", ylim=(0, 1.12 * top), xlim=(-.55, len(groups) - .45))
        axes.grid(axis="y")
    return plotted(f"Receivers' goodput over the ceiling, what plain TCP gets on a path of its own (dashed): median of"
                   f" {seeds} seed{'s' * (counts[-1] > 1)}, whiskers from the worst to the best. Where links are not all"
                   " alike, it is that part of what they leave the flows at best, by max-min over all paths", paint,
                   key_of(names), (10, 4))


def classes(rule_bytes):
    """(about, from, below) of the sizes of flows."""
    return [(about, rule_bytes if low is None else low, rule_bytes if high is None else high)
            for about, low, high in CLASSES]


def cdf(workload, runs, rule_bytes):
    """Of the seeds that all systems have: the same flows on each curve."""
    groups, kinds = by(paired.common(runs), "system"), []
    names = order(n for (n,) in groups)
    for about, low, high in classes(rule_bytes):
        times = {name: sorted(c["s"] for r in groups[name,] for c in r["completions"]
                              if low <= c["bytes"] < high) for name in names}
        if min(map(len, times.values()), default=0) > 1:
            kinds.append((about, times))
    if not kinds:
        return ""

    def paint(axes):
        for place, (about, times) in zip([axes] if len(kinds) == 1 else axes, kinds):
            for name, sample in times.items():
                place.step([t * 1e3 for t in sample], [(n + 1) / len(sample) for n in range(len(sample))],
                           where="post", color=colour(name, names), linewidth=2.4 if name == "subflow" else 1.5,
                           gid="data step")
            place.set(xscale="log", xlabel="completion time, ms", ylim=(0, 1.02))
            place.set_title(f"{about}: {len(sample)} flows", fontsize=10, loc="left")
            place.xaxis.set_major_formatter(ticker.FuncFormatter(lambda ms, _: f"{ms:g}"))
            place.xaxis.set_minor_formatter(ticker.NullFormatter())
            place.grid()
        (axes if len(kinds) == 1 else axes[0]).set_ylabel("part of the flows")
    return plotted(f"Completion times by size, {workload}: further left is sooner", paint, key_of(names),
                   (10, 3.6), len(kinds), sharey=True)


def splits(result):
    """[(when, text)] of the moments at which a connection had more subflows than before."""
    told, seen = [], {}
    for line in result.get("decisions", ()):
        if line["subflows"] > max(1, seen.get(line["connection"], 0)):
            sent = f"{line['bytes'] / 1e6:.1f}".removesuffix(".0") + " MB: " if line["bytes"] is not None else ""
            told.append((line["s"], f"{sent}{line['subflows']} subflows"))
        seen[line["connection"]] = max(line["subflows"], seen.get(line["connection"], 0))
    return told


def beside(notes, longest_s):
    """[(where it begins, text, row)], so that none is on another, nor beyond the end; those without room are left
    out."""
    ends, found = [0.0] * NOTE_ROWS, []
    for when, note in notes:
        width = len(note) * NOTE_WIDTH * longest_s
        left = max(0.0, min(when, longest_s - width))
        row = next((row for row, end in enumerate(ends) if end <= left), None)
        if row is not None:
            ends[row] = left + width
            found.append((left, note, row))
    return found


def total(result):
    """Mbit/s of all paths, at each sample."""
    return [sum(rates) for rates in zip(*result["series"]["paths"].values())]


def over_time(result, longest_s, top_mbps):
    """longest_s, top_mbps: of all that it is shown beside."""
    series, paths = result["series"], list(result["series"]["paths"])
    notes = splits(result)
    shown = notes if len(notes) <= 8 else []
    key = {path: COLOURS[i % len(COLOURS)] for i, path in enumerate(paths)}

    def paint(axes):
        axes.stackplot(series["s"], [series["paths"][path] for path in paths],
                       colors=list(key.values()), linewidth=0, gid="data area")
        axes.set_title(result["system"], fontsize=11, loc="left", fontweight="bold")
        axes.set(xlabel="seconds", ylabel="Mbit/s", xlim=(0, longest_s), ylim=(0, 1.25 * top_mbps))
        axes.grid(axis="y")
        # Only where there is room between them.
        for when, _ in shown:
            axes.axvline(when, color="#1f2933", linestyle="--", linewidth=1, gid="data split")
        for left, note, row in beside(shown, longest_s):
            axes.annotate(note, (left, 1.24 * top_mbps), (3, -4 - 11 * row), fontsize=8, va="top",
                          textcoords="offset points", gid="data value",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": .8})
        for step in result["settings"]["fail"]:
            axes.axvline(float(step.split(":")[0]), color="#b00020", linestyle=":", linewidth=1.5,
                         gid="data failure")
    broken = "; dotted: " + failures.told(result["settings"]["fail"]) if result["settings"]["fail"] else ""
    split = "; dashed: a subflow more" if shown else ""
    return plotted(f"{about_system(result['system'])}; by the router at the top of the path, without what stays below it{split}{broken}", paint, key,
                   (6, 3.4))


def measured_on(result):
    """The topology as it was then; None: it is not told, and another file made it."""
    shape = result["shape"]
    if "links" in shape:
        return fabric.of_links([tuple(link) for link in shape["links"]])
    # Results once had the options alone; and before hosts' links of a leaf-spine had a rate, they were not shaped.
    if shape["topology"] in ("fat-tree", "leaf-spine"):
        return fabric.topology_of(argparse.Namespace(**{"host_rate": 0, **shape}))
    return None


def heat(result):
    if not (topology := measured_on(result)):
        return (f'<p class="meta">{text(about_system(result["system"]))}: no map of the links, since these results do not'
                f" tell those of a {text(result['shape']['topology'])}. Measured again, they do.</p>")
    return figure(draw.svg(topology, result["links_mbps"], about_system(result["system"])),
                  f"{about_system(result['system'])}. Load of each link, one line a direction; a"
                  " link without a rate is grey. ",
                  '<span class="range">0 <span class="scale"></span> 100 %</span>')
