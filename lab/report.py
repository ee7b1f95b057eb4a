# SPDX-License-Identifier: MIT
"""The report: one HTML page, nothing outside of it, of all results that count."""
import json
import math
import statistics

from lab import compared, failures, model, page, paired, pictures, results
from lab.page import items, table, text
from lab.pictures import about_system, by, ceiling, order

# (what, figure, where, system here)
PUBLISHED = (
    ("ECMP, one path a flow", "below .60 of the optimum",
     "Raiciu et al., SIGCOMM 2011, figure 3; max-min, k = 4: .596", "tcp"),
    ("MPTCP, 4 subflows on random paths", ".859 of the optimum", "max-min, k = 4", "random4"),
    ("MPTCP, 8 subflows on random paths", "about .90 of the optimum",
     "Raiciu et al., SIGCOMM 2011; max-min, k = 4: .941", "random8"),
    ("Hedera, central scheduler", "up to .96 of a non-blocking switch",
     "Al-Fares et al., NSDI 2010", "subflow"),
)
OURS = "subflow"
SMALL = 40  # links, in both directions, of which two maps stand side by side


def completions(runs):
    return sorted(c["s"] for r in runs for c in r["completions"])


def start_of(settings):
    """Bytes of the rule's first threshold."""
    return float(settings["rule"].split("/")[0]) * 1e6


def share(result):
    return result["mean_mbps"] / ceiling(result)


def times(ratio):
    return "-" if ratio is None else f"{ratio:.2f} x"


def rates(rated):
    """What endless flows got, beside the first of the systems."""
    rows = []
    for (workload,), runs in by(rated, "workload").items():
        groups = by(runs, "system")
        names = order(n for (n,) in groups)
        found = {name: paired.by_seed(groups[name,], share) for name in names}
        for name in names:
            group, got = groups[name,], found[name].values()
            rows.append((
                workload, about_system(name), len(group), statistics.median(got), min(got), max(got),
                times(paired.ratio(found[name], found[names[0]])),
                min(min(r["flows_mbps"]) / ceiling(r) for r in group),
                statistics.median(r["jain"] for r in group), path_share(group)))
    return table(("workload", "system", "seeds", "goodput", "worst seed", "best", "against the first",
                  "worst flow", "fairness (Jain)", "distinct paths"), rows, about_system(OURS))


def hosts(runs):
    """What each host sent and received, of endless flows and of mixes: of all hosts and seeds."""
    rows = []
    for (workload, name), group in by([r for r in runs if "hosts_mbps" in r], "workload", "system").items():
        columns = []
        for way in ("sent", "received"):
            rates = [host[way] for r in group for host in r["hosts_mbps"].values()]
            columns += [min(rates), statistics.median(rates), max(rates)]
        rows.append((workload, name, *columns))
    return "<h3>Goodput of hosts, Mbit/s</h3>" + table(
        ("workload", "system", "least sent", "median", "most", "least received", "median", "most"), rows) if rows else ""


def costs(runs):
    """What it took: retransmissions, silence, CPU, what MPTCP's own counters say."""
    rows = []
    for (workload, name), group in by(runs, "workload", "system").items():
        median = lambda key: statistics.median(r[key] for r in group)  # noqa: E731
        rows.append((
            workload, name, median("retransmits"),
            max((max(r["gap_ms"]) for r in group if "gap_ms" in r), default="-"),
            statistics.median(r["mptcp"].get("MPJoinSynAckRx", 0) for r in group),
            max(r["mptcp"].get("MPJoinRejected", 0) for r in group),
            max(r.get("counters", {}).get("repairs", 0) for r in group),
            max(max((v for k, v in r["mptcp"].items() if "Fallback" in k), default=0) for r in group),
            100 * median("cpu_idle"), max(100 * r["daemon_cpu_s"] / r["seconds"] for r in group)))
    return table(("workload", "system", "retransmits", "longest silence, ms", "joins", "rejected",
                  "most repairs", "fell back", "CPU idle, %", "daemon, % of a CPU"), rows) + (
        '<p class="meta">Of all seeds: retransmits, joins and idle CPU are medians, all else is the most of any.</p>')


def path_share(group):
    """Median of distinct paths / possible; one subflow has one path."""
    told = [r["paths"]["distinct"] / r["paths"]["possible"] for r in group if r.get("paths")]
    return statistics.median(told) if told else "-"


def mean_s(result, low, high):
    """How long its flows of these sizes took; None: it has none."""
    took = [c["s"] for c in result["completions"] if low <= c["bytes"] < high]
    return statistics.mean(took) if took else None


def size_classes(workload, runs):
    """Completion times of mice, of those in between, and of elephants, beside the first system."""
    groups = by(runs, "system")
    names, rows = order(n for (n,) in groups), []
    shares = {about_system(name): path_share(groups[name,]) for name in names}
    told = ", ".join(f"{about} {share:.2f}" for about, share in shares.items() if share != "-")
    for label, low, high in pictures.classes(start_of(runs[0]["settings"])):
        first = None
        for name in names:
            took = sorted(c["s"] * 1e3 for r in groups[name,] for c in r["completions"]
                          if low <= c["bytes"] < high)
            if took:
                means = paired.by_seed(groups[name,], lambda r: mean_s(r, low, high))
                first = first or means
                rows.append((label, about_system(name), len(took), statistics.median(took), statistics.mean(took),
                             took[int(.99 * len(took))], times(paired.ratio(first, means))))
    return f"<h3>{text(workload)}: completion times</h3>" + table(
        ("size", "system", "flows", "median ms", "mean ms", "p99 ms", "sooner than the first, mean"),
        rows, about_system(OURS)) + f'<p class="meta">Distinct paths / possible: {text(told)}.</p>' * bool(told)


def decisions(runs):
    """What subflowd decided and when, where it is kept."""
    rows = [(about_system(r["system"]), r["seed"], line["s"],
             "-" if line["bytes"] is None else round(line["bytes"] / 1e6, 1), line["subflows"],
             line["decision"]) for r in runs for line in r.get("decisions", ())]
    return "<h3>What subflowd decided</h3>" + table(
        ("system", "seed", "s", "MB sent", "subflows", "decision"), rows, is_tall=True) if rows else ""


def amount(value):
    """Four digits, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def bench_rows(directory):
    rows = []
    for path in sorted(directory.glob("*.json")) if directory and directory.is_dir() else []:
        found = results.benchmark(path)
        for line in found["figures"]:
            without = ", ".join(f"{name} {amount(theirs['median'])} (worst {amount(theirs['worst'])})"
                                for name, theirs in line["without"].items())
            rows.append((line["row"], line["what"] + f", {line['unit']}" * bool(line["unit"]),
                         float(line["median"]), float(line["worst"]),
                         ("<= " if line["smaller"] else ">= ") + f"{line['goal']:g}",
                         without or "-", line["known"], line["limit"],
                         "; does not count: ".join([("falls short", "met")[line["met"]],
                                                    *filter(None, [", ".join(line["doubts"])])]),
                         f"{found['bench']} {found.get('commit', '-')}"))
    return sorted(rows, key=lambda row: row[0])


def beside(first, runs):
    """What that system and Subflow came to on the same fabrics with the same flows; runs: of seeds that both have."""
    names = first, OURS
    if not runs:
        return "no seed has a run that counts of each"
    sides = [[r for r in runs if r["system"] == name] for name in names]
    if "mean_mbps" in runs[0]:
        theirs, ours = (paired.by_seed(side, share) for side in sides)
        a, b = (statistics.median(side.values()) for side in (theirs, ours))
        return (f"{b:.2f} of the ceiling (worst seed {min(ours.values()):.2f}) and {a:.2f} by"
                f" {text(about_system(first))}: <b>{times(paired.ratio(ours, theirs))}</b>")
    start, told = start_of(runs[0]["settings"]), []
    for what, low, high in (("elephants", start, math.inf), ("the rest", 0, start)):
        theirs, ours = paired.both(*(paired.by_seed(side, lambda r: mean_s(r, low, high)) for side in sides))
        if ours:
            a, b = (statistics.median(side.values()) for side in (theirs, ours))
            told.append(f"{what} in <b>{b * 1e3:,.0f} ms</b> and not {a * 1e3:,.0f}"
                        f" ({times(paired.ratio(theirs, ours))} sooner)")
    return f"mean completion, by {text(about_system(first))} and by the rule: " + "; ".join(told)


def found_in(runs):
    """Lines of what those of these runs that count say of Subflow beside the first of the others."""
    lines = []
    for (workload,), group in by([r for r in runs if "busy" not in r], "workload").items():
        names = order(r["system"] for r in group)
        if OURS in names and names[0] != OURS:
            pair = [r for r in group if r["system"] in (names[0], OURS)]
            without = paired.told(paired.gaps(pair))
            lines.append(f"<b>{text(workload)}</b>: " + beside(names[0], paired.common(pair))
                         + f" (left out: no {text(without)})" * bool(without))
    return f'<div class="found">{items(lines)}</div>' if lines else ""


def unpaired(runs):
    """Which seeds not all systems have, and what becomes of them."""
    found = {workload: paired.gaps(group) for (workload,), group in by(runs, "workload").items()}
    told = [f"{workload}, no {paired.told(gaps)}" for workload, gaps in found.items() if gaps]
    return (f'<p class="short">Seeds that not all systems have: {text("; ".join(told))}. A ratio is of the seeds'
            " that both have, and curves of completion times are of those that all have.</p>") if told else ""


# Options of a run that its heading does not show: some workloads take no notice of some of them.
ASKED = ("seconds", "load", "size", "step")


def conditions(first):
    """Of one section, for people."""
    settings = first["settings"]
    broken = f"; broken: {failures.told(settings['fail'])}" if settings["fail"] else ""
    program = f"; {settings['program']}" if "program" in settings else ""
    asked = " ".join(f"--{key} {settings[key]:g}" for key in ASKED if key in settings)
    return (f'<p class="meta">Congestion control {text(settings["control"])}; packets up to'
            f" {settings['gso']} bytes; elephants at {text(settings['rule'])} (start, step, stop);"
            f" {'IPv4' if settings['family'] == 'ip4' else 'IPv6'}{text(broken + program)}; {asked}. Subflow"
            f" {text(first['commit'])}, kernel {text(first['kernel'])}, iproute2"
            f" {text(first['iproute2'])}, {settings['machine']['cpus']} CPUs.</p>")


def series(shown):
    longest = max(r["series"]["s"][-1] for r in shown)
    top = max(max(pictures.total(r)) for r in shown)
    return "".join(pictures.over_time(r, longest, top) for r in shown)


def section(name, runs):
    """Everything about one fabric and one set of settings, measured with one commit."""
    measured = ", ".join(dict.fromkeys(r["workload"] for r in runs))
    parts = [f"<h2>{text(name)}: {text(measured)}</h2>", conditions(runs[0]), found_in(runs), unpaired(runs)]
    if busy := sum("busy" in r for r in runs):
        parts.append(f'<p class="short">{busy} of these {len(runs)} runs missed the gate of the CPU or of the'
                     " ceiling and were kept (--busy): their figures do not count.</p>")
    rated = [r for r in runs if "mean_mbps" in r]
    if rated:
        parts += ["<h3>Goodput</h3>", pictures.goodput_bars(rated), rates(rated)]
    for (workload,), sized in by([r for r in runs if "completions" in r], "workload").items():
        parts += [size_classes(workload, sized), pictures.cdf(workload, sized, start_of(sized[0]["settings"]))]
    last = ([r for r in rated if r["workload"] != "stride1"] or runs)[-1]
    ranks = order(r["system"] for r in runs)
    shown = sorted((r for r in runs if r["workload"] == last["workload"] and r["seed"] == last["seed"]),
                   key=lambda r: ranks.index(r["system"]))
    parts += [f"<h3>{text(last['workload'])}, seed {last['seed']}: throughput over time, by path</h3>",
              f'<div class="pair">{series(shown)}</div>', decisions(shown),
              f"<h3>{text(last['workload'])}, seed {last['seed']}: which links carried it</h3>",
              f'<div class="{"pair" * (len(runs[0]["links_mbps"]) <= SMALL)}">'
              + "".join(map(pictures.heat, ends(shown))) + "</div>",
              hosts(runs), "<h3>What it took</h3>", costs(runs)]
    return "".join(parts)


def ends(shown):
    """The first of these, and Subflow, or the last where it is not among them."""
    ours = [r for r in shown[1:] if r["system"] == OURS]
    return shown[:1] + (ours or shown[1:])[-1:]


def emulated(found, k=4):
    """({system: median goodput / ceiling}, commit) of random permutations on fat-trees of this size: of runs that the
    model is of, and of those the ones that are alike to the last, none of which was kept by --busy."""
    runs = [r for r in found if compared.is_comparable(r) and r["shape"]["k"] == k]
    runs = [r for r in runs if all(r[key] == runs[-1][key] for key in results.VERSIONS)]
    return ({name: statistics.median(map(share, group)) for (name,), group in by(runs, "system").items()},
            runs[-1]["commit"] if runs else None)


def of_commit(commit):
    return f" Emulated here: Subflow {text(commit)}." if commit else " Nothing of it was emulated here that counts."


def theory(measured, commit):
    rows = [(about, *(values[k] for k in model.SIZES), measured.get(name, "-"))
            for name, about, values in model.table(model.SIZES)]
    return ("<h2>Larger fat-trees, by a model</h2>"
            + table(("permutation, goodput / optimum", *(f"k = {k}" for k in model.SIZES),
                     "emulated here, k = 4"), rows)
            + "<p>Max-min at flow level, and no emulation. Assumed: " + text("; ".join(model.ASSUMPTIONS))
            + ". The emulation's own goodput is over its ceiling, which has headers off."
            + of_commit(commit) + "</p>")


def published(measured, commit):
    rows = [(what, value, measured.get(name, "-"), about_system(name), where)
            for what, value, where, name in PUBLISHED]
    return ("<h2>Published figures</h2><p>Fat-trees, random permutations; Hedera also stride. Other"
            " machines, links and years: what they tell is the order of things." + of_commit(commit) + "</p>"
            + table(("what", "published", "here, k = 4", "by", "where"), rows))


LIMITS = (
    "<b>Shown:</b> how much of a fabric's capacity flows get under each system, what it does to completion"
    " times, and on which links the bytes went, by the routers' own counters.",
    "<b>Not shown:</b> latencies of hardware. Round trips here are those of a kernel on few CPUs, and"
    " queues are some packets of up to 8 kB; absolute times mean little, ratios side by side do.",
    "<b>Not shown:</b> switches' own hash functions. Linux routers hash the five fields of each packet with"
    " a seed; real ones use CRCs of fewer bits, and may polarise (--polarised).",
    "<b>Not shown:</b> speed. Links are of some 10 Mbit/s and hosts some dozen, so that the machine is not"
    " the bottleneck; larger fat-trees are a model's.",
    "Thresholds are scaled with the links' rate where the text says so: at 50 Mbit/s an elephant of 100 MB"
    " would take 16 s.",
    "A mix that is carried over MPTCP loses about 1 % of its connections to plain TCP where full queues"
    " drop the third ACK of the handshake. They are in the figures.",
)


def write(found, output, bench=None):
    """Writes the page of these results; at least one of them counts."""
    good, thrown = results.runs(found), [r for r in found if r["discarded"]]
    busy = sum("busy" in r for r in good)
    parts = [
        "<h1>Subflow in the lab</h1>",
        f'<p class="lead">{len(good) - busy} runs that passed all gates, '
        + f"{busy} kept that did not (--busy), " * bool(busy) + f"{len(thrown)} thrown away. Real Linux"
        " routing and TCP in network namespaces; every router hashes with a seed of its own unless said"
        " otherwise. Systems are compared side by side on the same fabric, with the same flows.</p>"]
    for _, runs in by([{**r, "group": json.dumps([r["settings"], *map(r.get, results.VERSIONS)],
                                                 sort_keys=True)} for r in good], "group").items():
        parts.append(section(runs[0]["settings"]["fabric"], runs))
    if rows := bench_rows(bench):
        parts += ["<h2>Against the goals</h2>",
                  table(("row", "figure", "median", "worst", "goal", "without", "known", "limit", "", "measured by"), rows)]
    measured = emulated(good)
    parts += [published(*measured), theory(*measured),
              "<h2>What this shows, and what it does not</h2>", items(LIMITS)]
    if thrown:
        parts += ["<h2>Thrown away</h2>", table(
            ("workload", "system", "seed", "why"),
            [(r["workload"], r["system"], str(r["seed"]), r["discarded"]) for r in thrown])]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page.document("Subflow in the lab", parts))
