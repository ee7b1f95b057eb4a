# SPDX-License-Identifier: MIT
"""The report: one HTML page, nothing outside of it, of all results that count."""
import argparse
import html
import io
import json
import statistics

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402: the backend comes first

from lab import draw, model, results, systems  # noqa: E402
from lab.plot import COLOURS  # noqa: E402

# (what, figure, where)
PUBLISHED = (
    ("ECMP, one path a flow, fat-tree, permutation", "below .60 of the optimum",
     "Raiciu et al., SIGCOMM 2011, figure 3; max-min, k = 4: .596"),
    ("Hedera, central scheduler, k = 4, stride and random", "up to .96 of a non-blocking switch",
     "Al-Fares et al., NSDI 2010"),
    ("MPTCP, 8 subflows on random paths, fat-tree, permutation", "about .90 of the optimum",
     "Raiciu et al., SIGCOMM 2011; max-min, k = 4: .941"),
    ("4 random ports, fat-tree, k = 4, permutation", ".859 of the optimum", "max-min"),
)

STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 68em; margin: 2em auto; padding: 0 1em; color: #222 }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2em; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px }
td, th { padding: .2em .7em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
table.runs td, table.runs th { padding: .2em .4em } table.runs td:nth-child(2) { min-width: 12em }
td.n { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1.5em 0 } figure svg { max-width: 100%; height: auto } figcaption { color: #555 }
.short { color: #b00020; font-weight: bold }
.pair { display: grid; gap: 1em; grid-template-columns: 1fr 1fr } .pair figure { margin: 0 }
"""


def text(value):
    return html.escape(str(value))


def table(head, rows, kind=""):
    def cell(value):
        if isinstance(value, float):
            return f'<td class="n">{value:.0f}</td>' if abs(value) >= 1000 else (
                f'<td class="n">{value:.3g}</td>')
        if isinstance(value, int):
            return f'<td class="n">{value}</td>'
        mark = ' class="short"' if value == "falls short" else ""
        return f"<td{mark}>{text(value)}</td>"
    return (f'<table class="{kind}"><tr>' + "".join(f"<th>{text(name)}</th>" for name in head) + "</tr>"
            + "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows) + "</table>")


def figure(picture, caption):
    return f"<figure>{picture}<figcaption>{text(caption)}</figcaption></figure>"


def plotted(caption, paint, size=(9, 3.6)):
    """A figure of what paint(axes) draws."""
    with matplotlib.rc_context({"svg.hashsalt": caption, "svg.fonttype": "none"}):
        shape, axes = pyplot.subplots(figsize=size)
        paint(axes)
        shape.tight_layout()
        buffer = io.StringIO()
        shape.savefig(buffer, format="svg", metadata={"Date": None})
        pyplot.close(shape)
    picture = buffer.getvalue()
    return figure(picture[picture.index("<svg"):], caption)


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


def ceiling(found):
    """Mbit/s a flow that can be had: stride1 by TCP on the same fabric, or the links' rate."""
    best = [r["mean_mbps"] for r in found
            if r["workload"] == "stride1" and r["system"] == "tcp" and "mean_mbps" in r]
    return (statistics.median(best), "stride1 by plain TCP") if best else (
        found[0]["shape"]["rate"], "the links' rate")


def goodput_bars(found):
    top, what = ceiling(found)
    rated = [r for r in found if "mean_mbps" in r]
    groups, names = by(rated, "workload"), order(r["system"] for r in rated)

    def paint(axes):
        width, told = .8 / len(names), set()
        for i, name in enumerate(names):
            for x, runs in enumerate(groups.values()):
                shares = [r["mean_mbps"] / top for r in runs if r["system"] == name]
                if not shares:
                    continue
                middle = statistics.median(shares)
                spread = [[middle - min(shares)], [max(shares) - middle]]
                axes.bar(x + (i + .5) * width - .4, middle, width * .92, yerr=spread, capsize=3,
                         color=COLOURS[i % len(COLOURS)],
                         label=None if name in told else about_system(name))
                told.add(name)
        axes.set_xticks(range(len(groups)), [workload for (workload,) in groups])
        axes.axhline(1, color="black", linewidth=1, linestyle="--")
        axes.set(ylabel="goodput / ceiling", ylim=(0, 1.45))
        axes.legend(loc="upper left", ncols=2, fontsize=8)
    return plotted(f"Receivers' goodput over {what} ({top:.1f} Mbit/s a flow): median over the"
                   " seeds, whiskers from the worst to the best", paint)


def completions(runs):
    return sorted(c["s"] for r in runs for c in r["completions"])


def cdf(workload, runs):
    groups = by(runs, "system")

    def paint(axes):
        for i, name in enumerate(order(n for (n,) in groups)):
            times = completions(groups[name,])
            axes.plot([t * 1e3 for t in times], [(n + 1) / len(times) for n in range(len(times))],
                      color=COLOURS[i % len(COLOURS)], label=about_system(name), linewidth=1.4)
        axes.set(xscale="log", xlabel="completion time, ms", ylabel="part of the flows",
                 ylim=(0, 1.02))
        axes.legend(loc="lower right", fontsize=8)
        axes.grid(alpha=.3)
    return plotted(f"Completion times, {workload}", paint)


def splits(result):
    """[(when, text)] of the moments at which a connection had more subflows than before."""
    told, seen = [], {}
    for line in result.get("decisions", ()):
        if line["subflows"] > max(1, seen.get(line["connection"], 0)):
            sent = f"{line['bytes'] / 1e6:.0f} MB: " if line["bytes"] is not None else ""
            told.append((line["s"], f"{sent}{line['subflows']} subflows"))
        seen[line["connection"]] = max(line["subflows"], seen.get(line["connection"], 0))
    return told


def decisions(runs):
    """What subflowd decided and when, where it is kept."""
    rows = [(about_system(r["system"]), r["seed"], line["s"],
             "-" if line["bytes"] is None else round(line["bytes"] / 1e6, 1), line["subflows"],
             line["decision"]) for r in runs for line in r.get("decisions", ())]
    return table(("system", "seed", "s", "MB sent", "subflows", "decision"), rows) if rows else ""


def over_time(result):
    series, paths = result["series"], list(result["series"]["paths"])

    def paint(axes):
        axes.stackplot(series["s"], [series["paths"][path] for path in paths], labels=paths,
                       colors=[COLOURS[i % len(COLOURS)] for i in range(len(paths))], linewidth=0)
        axes.set(xlabel="seconds", ylabel="Mbit/s", xlim=(series["s"][0], series["s"][-1]))
        top = 1.35 * max(map(sum, zip(*series["paths"].values())))
        axes.set_ylim(0, top)
        for when, note in splits(result):
            axes.axvline(when, color="black", linestyle="--", linewidth=1)
            axes.text(when, .8 * top, note, fontsize=7, va="top", rotation=90,
                      ha="left" if when < series["s"][-1] / 5 else "right")
        for step in result["settings"]["fail"]:
            axes.axvline(float(step.split(":")[0]), color="black", linestyle=":")
        axes.legend(loc="upper left", fontsize=7, ncols=4)
    broken = "; dotted: " + ", ".join(result["settings"]["fail"]) if result["settings"]["fail"] else ""
    return plotted(f"{about_system(result['system'])}: {result['workload']}, seed {result['seed']},"
                   f" by the router at the top of the path{broken}", paint, (6, 3))


def heat(result):
    from lab.command import topology_of  # late: the command imports this module
    topology = topology_of(argparse.Namespace(**result["shape"]))
    name = f"{about_system(result['system'])}: {result['workload']}, seed {result['seed']}"
    return figure(draw.svg(topology, result["links_mbps"], name),
                  f"{name}. Load of each link in both directions: grey idle, yellow half, red full")


def size_classes(runs, rule_bytes):
    """Rows of a table: completion times of mice, of those in between, and of elephants."""
    rows = []
    for (name,), group in by(runs, "system").items():
        flows = [c for r in group for c in r["completions"]]
        for label, low, high in (("below 100 kB", 0, 1e5), ("to the threshold", 1e5, rule_bytes),
                                 ("elephants", rule_bytes, float("inf"))):
            times = sorted(c["s"] * 1e3 for c in flows if low <= c["bytes"] < high)
            if times:
                rows.append((about_system(name), label, len(times), statistics.median(times),
                             times[int(.99 * len(times))]))
    return table(("system", "size", "flows", "median ms", "p99 ms"), rows)


def path_share(group):
    """Median of distinct paths / possible; one subflow has one path."""
    shares = [r["paths"]["distinct"] / r["paths"]["possible"] for r in group if r.get("paths")]
    return statistics.median(shares) if shares else "-"


def rates(runs, top):
    rows = []
    for (workload, name), group in by(runs, "workload", "system").items():
        shares = [r["mean_mbps"] / top for r in group]
        rows.append((workload, about_system(name), len(group), statistics.median(shares),
                     min(shares), max(shares), min(min(r["flows_mbps"]) for r in group) / top,
                     statistics.median(r["jain"] for r in group),
                     path_share(group), max(r.get("counters", {}).get("repairs", 0) for r in group),
                     statistics.median(r["retransmits"] for r in group),
                     max(max(r["gap_ms"]) for r in group),
                     statistics.median(r["cpu_idle"] for r in group),
                     max(r["daemon_cpu_s"] / r["seconds"] for r in group) * 100))
    return table(("workload", "system", "seeds", "goodput", "min", "max", "worst flow", "Jain",
                  "distinct paths", "most repairs", "retransmits", "longest silence ms", "CPU idle", "daemon, % of a CPU"), rows, "runs")


def bench_rows(directory):
    rows = []
    for path in sorted(directory.glob("*.json")) if directory and directory.is_dir() else []:
        for line in json.loads(path.read_text())["figures"]:
            without = ", ".join(f"{name} {theirs['median']:.3g}"
                                for name, theirs in line["without"].items())
            rows.append((line["row"], line["what"], float(line["median"]), float(line["worst"]),
                         ("<= " if line["smaller"] else ">= ") + f"{line['goal']:g}",
                         without or "-", line["known"], line["limit"],
                         "; does not count: ".join([("falls short", "met")[line["met"]],
                                                    *filter(None, [", ".join(line["doubts"])])])))
    return sorted(rows, key=lambda row: row[0])


def section(name, fabric_runs):
    """Everything about one fabric and one set of settings."""
    parts = [f"<h2>{text(name)}</h2>"]
    settings = fabric_runs[0]["settings"]
    parts.append(f"<p>Congestion control {text(settings['control'])}; packets up to"
                 f" {settings['gso']} bytes; elephants at {text(settings['rule'])} (start, step,"
                 f" stop), {'IPv4' if settings['family'] == 'ip4' else 'IPv6'}"
                 + (f"; broken: {text(', '.join(settings['fail']))}" if settings["fail"] else "")
                 + ".</p>")
    rated = [r for r in fabric_runs if "mean_mbps" in r]
    if rated:
        parts += [goodput_bars(fabric_runs), rates(rated, ceiling(fabric_runs)[0])]
    for (workload,), runs in by([r for r in fabric_runs if "completions" in r], "workload").items():
        start = float(settings["rule"].split("/")[0]) * 1e6
        if all(len(completions([run])) > 1 for run in runs):
            parts.append(cdf(workload, runs))
        parts.append(size_classes(runs, start))
    last = ([r for r in rated if r["workload"] != "stride1"] or fabric_runs)[-1]
    shown = [r for r in fabric_runs if r["workload"] == last["workload"]
             and r["seed"] == last["seed"]]
    parts.append('<div class="pair">' + "".join(map(over_time, shown)) + "</div>")
    parts.append('<div class="pair">' + "".join(map(heat, shown)) + "</div>")
    parts.append(decisions(shown))
    return "".join(parts)


def emulated(found, k=4):
    """{system: median goodput / ceiling} of random permutations on fat-trees of this size."""
    here = [r for r in found if r["shape"]["topology"] == "fat-tree" and r["shape"]["k"] == k
            and "mean_mbps" in r and not r["settings"]["fail"]]
    runs = [r for r in here if r["workload"] == "permutation"]
    return {name: statistics.median(r["mean_mbps"] for r in group) / ceiling(here)[0]
            for (name,), group in by(runs, "system").items()}


def theory(found):
    measured = emulated(found)
    rows = [(about, *(values[k] for k in model.SIZES), measured.get(name, "-"))
            for name, about, values in model.table(model.SIZES)]
    return ("<h2>Larger fat-trees, by a model</h2>"
            + table(("permutation, goodput / optimum", *(f"k = {k}" for k in model.SIZES),
                     "emulated here, k = 4"), rows)
            + "<p>Max-min at flow level, and no emulation: " + text("; ".join(model.ASSUMPTIONS))
            + ". The emulation's own goodput is over its ceiling, which has headers off.</p>")


def write(found, output, bench=None):
    """Writes the page of these results; at least one of them counts."""
    good = results.runs(found)
    thrown = [r for r in found if r["discarded"]]
    first = good[-1]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Subflow in the lab</title>",
        f"<style>{STYLE}</style><h1>Subflow in the lab</h1>",
        f"<p>{len(good)} runs that passed all gates, {len(thrown)} thrown away. Kernel"
        f" {text(first['kernel'])}, iproute2 {text(first['iproute2'])}, Subflow"
        f" {text(first['commit'])}, {first['settings']['machine']['cpus']} CPUs. Real Linux routing"
        " and TCP in network namespaces; every router hashes with a seed of its own unless said"
        " otherwise. Systems are compared side by side on the same fabric, with the same flows.</p>",
    ]
    if busy := [r for r in good if r.get("busy")]:
        parts.append(f'<p class="short">{len(busy)} of these runs had less than 15 % of the CPU idle'
                     " (--busy): their figures do not count.</p>")
    for _, runs in by([{**r, "group": json.dumps([r["settings"], *map(r.get, results.VERSIONS)],
                                             sort_keys=True)} for r in good],
                      "group").items():
        parts.append(section(runs[0]["settings"]["fabric"], runs))
    if rows := bench_rows(bench):
        parts += ["<h2>Against the goals</h2>",
                  table(("row", "figure", "median", "worst", "goal", "without", "known", "limit", ""),
                        rows)]
    parts.append(theory(good))
    parts += [
        "<h2>Published figures</h2>", table(("what", "figure", "where"), PUBLISHED),
        "<h2>What this shows, and what not</h2><ul>"
        "<li>Shown: how much of a fabric's capacity long flows get under each system, what it does"
        " to completion times, and on which links the bytes went, by the routers' own counters.</li>"
        "<li>Not shown: latencies of hardware. Round trips here are those of a kernel on few CPUs,"
        " and queues are some packets of up to 8 kB; absolute times mean little.</li>"
        "<li>Not shown: switches' own hash functions. Linux routers hash the five fields of each"
        " packet with a seed; real ones use CRCs of fewer bits, and may polarise.</li>"
        "<li>Thresholds are scaled with the links' rate where the text says so: at 50 Mbit/s an"
        " elephant of 100 MB would take 16 s.</li>"
        "<li>A mix that is carried over MPTCP loses about 1 % of its connections to plain TCP where"
        " full queues drop the third ACK of the handshake.</li></ul>"]
    if thrown:
        parts += ["<h2>Thrown away</h2>", table(
            ("workload", "system", "seed", "why"),
            [(r["workload"], r["system"], r["seed"], r["discarded"]) for r in thrown])]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("".join(parts) + "</html>\n")
