# SPDX-License-Identifier: MIT
"""The report as a browser shows it, and where results come from and go."""
import json
import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest
from browser import assert_full, look
from lab import draw, experiment, fabric, pictures, report, results, workloads
from lab.netns import LabError


def result(system, seed, workload="permutation", **more):
    rng = random.Random(f"{system}{seed}{workload}")
    topology = fabric.fat_tree_topology(4, 50)
    rates = [rng.uniform(10, 48) for _ in range(16)]
    times = [i / 10 for i in range(20)]
    base = {
        "system": system, "workload": workload, "seed": seed, "discarded": "", "kernel": "6.1",
        "iproute2": "6.1", "python": "3.11", "commit": "abc", "ceiling_mbps": 48.0, "seconds": 5.0, "cpu_idle": .4, "daemon_cpu_s": .01,
        "retransmits": 7, "mptcp": {"MPJoinSynAckRx": 3},
        "settings": {"fabric": "fat-tree k=4, 50 Mbit/s", "gso": 8192, "control": "reno",
                     "rule": "1/0.5/3 MB", "load": .6, "seconds": 5, "family": "ip4", "fail": [],
                     "machine": {"cpus": 2}},
        "shape": {"topology": "fat-tree", "k": 4, "spines": 4, "leaves": 4, "hosts": 4, "rate": 50,
                  "asymmetry": None},
        "links_mbps": {f"{x}>{y}": rng.uniform(0, 50) for a, b, _ in topology.links
                       for x, y in ((a, b), (b, a))},
        "series": {"s": times, "paths": {f"core{i}": [rng.uniform(0, 50) for _ in times]
                                         for i in range(4)}},
    }
    if workload == "websearch":
        base["completions"] = [{"bytes": rng.choice((1000, 500000, 5000000)), "start_s": 0,
                                "s": rng.expovariate(5)} for _ in range(200)]
    else:
        base |= {"flows_mbps": rates, "mean_mbps": sum(rates) / 16, "jain": .9, "gap_ms": [1.0] * 16}
    return base | more


def some():
    return [result(system, seed, workload) for workload in ("stride1", "permutation", "websearch")
            for seed in (1, 2) for system in ("tcp", "random4", "subflow")]


def links_of(run):
    """How many lines of the map have a colour by their load."""
    return sum(draw.colour(mbps / run["shape"]["rate"]) != draw.IDLE for mbps in run["links_mbps"].values())


# Of some(): bars and whiskers, one for each system and workload; completion times, one line for each system and class of sizes; three
# runs over time; two maps.
FULL = [{"bar": 6, "seeds": 6, "value": 6, "whisker": 6}, {"step": 9}, *3 * [{"area": 4}],
        *({"link": links_of(result(system, 2))} for system in ("tcp", "subflow"))]


def zeros(rates):
    return {name: 0 for name in rates}


def test_in_a_browser_every_plot_shows_something_and_nothing_is_wrong(tmp_path):
    page = tmp_path / "report.html"
    report.write(some(), page)
    title, shown = look(page, tmp_path)
    assert title == "Subflow in the lab"
    assert_full(shown, FULL)


def test_axes_alone_are_no_plot(tmp_path, monkeypatch):
    """What draws the data draws nothing, and no link carried anything: the test above fails at each picture."""
    for name in ("bar", "plot", "stackplot", "step", "annotate"):
        monkeypatch.setattr(pictures.matplotlib.axes.Axes, name, lambda *_, **__: [])
    page = tmp_path / "report.html"
    report.write([{**run, "links_mbps": zeros(run["links_mbps"])} for run in some()], page)
    _, shown = look(page, tmp_path)
    assert [marks for _, _, marks, _ in shown] == [{}] * len(FULL)
    with pytest.raises(AssertionError):
        assert_full(shown, FULL)


@pytest.mark.filterwarnings("ignore:Attempting to set identical")
def test_what_is_nothing_all_the_time_is_no_plot(tmp_path):
    runs = some()
    for run in runs:
        run["links_mbps"] = zeros(run["links_mbps"])
        run["series"]["paths"] = {path: [0] * len(rates) for path, rates in run["series"]["paths"].items()}
        if "mean_mbps" in run:
            run["mean_mbps"] = 0
    page = tmp_path / "report.html"
    report.write(runs, page)
    _, shown = look(page, tmp_path)
    assert [marks for _, _, marks, _ in shown] == [{"seeds": 6, "value": 6, "whisker": 6}, {"step": 9}, *5 * [{}]]


def test_a_picture_without_anything_is_noticed(tmp_path):
    page = tmp_path / "empty.html"
    page.write_text('<html><title>t</title><style></style><figure><svg width="9" height="9"></svg></figure>')
    assert look(page, tmp_path)[1] == [[9, 9, {}, 0]]
    page.write_text("<html><style></style><script>nothing()</script>")
    with pytest.raises(AssertionError, match="nothing is not defined"):
        look(page, tmp_path)


def test_what_was_decided_is_shown(tmp_path):
    decided = [{"s": s, "bytes": mb * 1000000, "connection": "host0 1a", "subflows": subflows,
                "decision": f"for the reason <{s}>"}
               for s, mb, subflows in ((.1, 1, 1), (.9, 100, 2), (1.0, 101, 2), (1.2, 150, 1), (1.4, 160, 3))]
    run = result("subflow", 1, "paper", decisions=decided, completions=[
        {"bytes": 400000000, "start_s": 0, "s": 16.5}])
    del run["mean_mbps"]
    assert pictures.splits(run) == [(.9, "100 MB: 2 subflows"), (1.4, "160 MB: 3 subflows")]
    report.write([run], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "100 MB: 2 subflows" in text and text.count("for the reason &lt;") == 5
    assert "16,500" in text and "e+" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    assert text.count("<figure>") == 2, "over time and the map: one completion makes no curve"


def test_a_benchmark_that_was_cut_off_is_said(tmp_path):
    (tmp_path / "mix.json").write_text('{"bench": "mix", "fig')
    with pytest.raises(LabError, match="mix.json is no result of a benchmark: .* bench/mix$"):
        report.write(some()[:1], tmp_path / "r.html", tmp_path)


def test_notes_are_beside_one_another_and_within_the_picture():
    """A letter takes 1/80 of the width."""
    at = [(0, "x" * 20), (0, "y" * 20), (3, "z" * 20), (3, "left"), (9.9, "w" * 8)]
    assert pictures.beside(at, 10) == [(0, "x" * 20, 0), (0, "y" * 20, 1), (3, "z" * 20, 0), (3, "left", 1),
                                       (9, "w" * 8, 0)]
    crowd = [(0, "x" * 20)] * 5
    assert len(pictures.beside(crowd, 10)) == pictures.NOTE_ROWS


def test_a_benchmark_is_shown_with_its_units_and_what_measured_it(tmp_path):
    (tmp_path / "react.json").write_text(json.dumps({"bench": "react", "commit": "abc", "rounds": [], "figures": [
        {"row": 8, "what": "to the first byte", "unit": "us", "median": 20, "worst": 30, "goal": 150, "smaller": True,
         "met": True, "without": {"a poller": {"median": 84897.4, "worst": 96038}}, "known": "60", "limit": "0",
         "doubts": []}]}))
    (row,) = report.bench_rows(tmp_path)
    assert row[1] == "to the first byte, us" and row[5] == "a poller 84,897 (worst 96,038)"
    assert row[-1] == "react abc"


def test_the_map_is_of_subflow_where_it_was_measured():
    def ran(*names):
        return [{"system": name} for name in names]

    assert report.ends(ran("tcp", "mptcp", "subflow", "judged")) == ran("tcp", "subflow")
    assert report.ends(ran("tcp", "mptcp")) == ran("tcp", "mptcp")
    assert report.ends(ran("subflow")) == ran("subflow") and report.ends(ran("tcp")) == ran("tcp")


def test_the_model_stands_beside_the_emulation(tmp_path):
    runs = [result("tcp", 1, mean_mbps=24.0), result("random4", 1, mean_mbps=36.0)]
    report.write(runs, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    row = re.search(r"<tr><td>4 subflows on random paths</td>.*?</tr>", text).group(0)
    cells = re.findall(r'<td class="n">(.*?)</td>', row)
    assert float(cells[0]) == pytest.approx(.86, abs=.02) and cells[4] == "0.75"
    assert "without limit by its windows" in text, "assumptions stand beside the figures"


def test_figures_are_those_of_the_results(tmp_path):
    runs = [result("subflow", seed, mean_mbps=24.0 + seed,
                   paths={"subflows": 64, "distinct": 40 + seed, "possible": 64})
            for seed in range(3)] + [result("tcp", seed, mean_mbps=20.0) for seed in range(3)]
    report.write(runs, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    row = re.search(r'<tr class="ours"><td>permutation</td>.*?</tr>', text).group(0)
    cells = re.findall(r'<td class="n">(.*?)</td>', row)
    assert cells[:4] == ["3", f"{25 / 48:.3g}", f"{24 / 48:.3g}", f"{26 / 48:.3g}"]
    assert cells[6] == f"{41 / 64:.3g}", "distinct paths of those that there could be"
    assert "1.25 x" in row and "0.52 of the ceiling (worst seed 0.50) and 0.42 by TCP over ECMP" in text


def test_of_flows_that_end_the_paths_are_told_too(tmp_path):
    runs = [result(system, 1, "websearch", paths=paths) for system, paths in (
        ("tcp", None), ("subflow", {"subflows": 8, "distinct": 6, "possible": 8}))]
    report.write(runs, tmp_path / "r.html")
    (told,) = re.findall("Distinct paths / possible: ([^<]*)", (tmp_path / "r.html").read_text())
    assert told == report.about_system("subflow") + " 0.75."
    report.write([result("tcp", 1, "websearch")], tmp_path / "r.html")
    assert "Distinct paths / possible" not in (tmp_path / "r.html").read_text()


def sized(system, seed, **seconds):
    """One elephant and one mouse, each of which takes so long."""
    flows = [{"bytes": size, "start_s": 0, "s": seconds[what]}
             for what, size in (("elephant", 5_000_000), ("mouse", 1000)) if what in seconds]
    return result(system, seed, "websearch", completions=flows)


def cells_of(text, *words):
    """The cells of the row that begins with these."""
    row = re.search("<tr[^>]*>" + "".join(f"<td>{word}[^<]*</td>" for word in words) + ".*?</tr>", text).group(0)
    return re.findall(r"<td[^>]*>(.*?)</td>", row)


# Of one seed each is twice as fast, and of the other half as fast: neither means nor medians of all say so.
LUCK = {"tcp": {1: 10.0, 2: 40.0, 3: 12.0}, "subflow": {1: 20.0, 2: 20.0, 3: 18.0}}


def test_systems_are_held_against_each_other_seed_by_seed():
    runs = [result(system, seed, mean_mbps=mbps) for system, of in LUCK.items() for seed, mbps in of.items()]
    assert cells_of(report.rates(runs), "permutation", "Subflow")[6] == "1.50 x", "and not 20 / 12"
    assert "<b>1.50 x</b>" in report.found_in(runs) and "left out" not in report.found_in(runs)
    assert report.unpaired(runs) == ""
    runs = [sized(system, seed, elephant=mbps, mouse=1 / mbps) for system, of in LUCK.items() for seed, mbps in of.items()]
    assert cells_of(report.size_classes("websearch", runs), "elephants", "Subflow")[-1] == "0.67 x"
    assert cells_of(report.size_classes("websearch", runs), "mice", "Subflow")[-1] == "1.50 x"
    assert "(0.67 x sooner)" in report.found_in(runs) and "(1.50 x sooner)" in report.found_in(runs)


def test_a_seed_that_one_of_the_systems_lacks_is_left_out_and_said_so(tmp_path):
    """Its flows and fabric are others: it would make of luck a difference."""
    more = {"tcp": {**LUCK["tcp"], 4: 48.0}, "subflow": {**LUCK["subflow"], 5: 1.0}, "random4": {1: 15.0}}
    runs = [result(system, seed, mean_mbps=mbps) for system, of in more.items() for seed, mbps in of.items()]
    assert cells_of(report.rates(runs), "permutation", "Subflow")[6] == "1.50 x"
    assert cells_of(report.rates(runs), "permutation", "4 subflows")[6] == "1.50 x"
    assert "(worst seed 0.38)" in (found := report.found_in(runs)) and "<b>1.50 x</b>" in found
    assert "(left out: no seed 4 by subflow; seed 5 by tcp)" in found
    said = ("Seeds that not all systems have: permutation, no seed 2 by random4; seed 3 by random4;"
            " seed 4 by subflow, random4; seed 5 by tcp, random4.")
    assert said in report.unpaired(runs)
    report.write(runs, tmp_path / "r.html")
    assert said in (tmp_path / "r.html").read_text()
    runs = [sized(system, seed, elephant=mbps) for system, of in more.items() for seed, mbps in of.items()]
    assert cells_of(report.size_classes("websearch", runs), "elephants", "Subflow")[-1] == "0.67 x"
    assert "(0.67 x sooner)" in report.found_in(runs)


@pytest.mark.parametrize("seeds, said", [({"tcp": 1, "subflow": 1}, "1 seed,"), ({"tcp": 3, "subflow": 3}, "3 seeds,"),
                                         ({"tcp": 3, "subflow": 2}, "2 to 3 seeds,")])
def test_bars_say_of_how_many_seeds_they_are(seeds, said):
    rated = [result(system, seed) for system, count in seeds.items() for seed in range(count)]
    assert f"median of {said}" in pictures.goodput_bars(rated)


def test_whiskers_reach_from_the_worst_seed_to_the_best():
    """Half of the ceiling, three quarters and all of it: the bar is of the median, and the whisker as long."""
    picture = pictures.goodput_bars([result("tcp", seed, mean_mbps=mbps) for seed, mbps in enumerate((48.0, 24.0, 36.0))])

    def heights(kind):
        path = re.search(rf'<g class="data {kind}">\s*<path d="([^"]*)"', picture).group(1)
        return sorted(float(y) for y in re.findall(r"[ML] \S+ (\S+)", path))

    top, *_, bottom = heights("bar")
    assert [(bottom - y) / (bottom - top) for y in heights("whisker")] == pytest.approx([1 / .75, .5 / .75], abs=.01)


def test_where_no_seed_has_both_there_is_no_ratio():
    runs = [result("tcp", 1, mean_mbps=10.0), result("subflow", 2, mean_mbps=20.0)]
    assert cells_of(report.rates(runs), "permutation", "Subflow")[6] == "-"
    assert "no seed has a run that counts of each (left out: no seed 1 by subflow; seed 2 by tcp)" in report.found_in(runs)


def test_curves_are_of_the_same_flows():
    """Two of each seed; what the third seed of one system had is on no curve."""
    def of(system, seed):
        return result(system, seed, "websearch", completions=[{"bytes": 1000, "s": seed}] * 2)

    runs = [of(system, seed) for system in ("tcp", "subflow") for seed in (1, 2)]
    picture = pictures.cdf("websearch", runs, 1e6)
    assert "mice, below 100 kB: 4 flows" in picture and pictures.cdf("websearch", [*runs, of("tcp", 3)], 1e6) == picture
    assert pictures.cdf("websearch", [of("tcp", 1), of("subflow", 2)], 1e6) == ""


def test_what_hosts_sent_and_received_is_shown_also_of_mixes(tmp_path):
    flows = [workloads.Flow(0, 1), workloads.Flow(0, 2), workloads.Flow(2, 1)]
    got = experiment.of_hosts(["host0", "host1", "host2"], flows, [10, 5, 2])
    assert got == {"host0": {"sent": 15, "received": 0}, "host1": {"sent": 0, "received": 12},
                   "host2": {"sent": 2, "received": 5}}
    records = [{"flow": 1, "bytes": 5_000_000, "end_ns": 1}, {"failed": 0}, {"flow": 2, "sample_ns": 1}]
    assert experiment.ended(records, flows, 4) == [0, 10, 0]
    report.write([result("tcp", 1, "websearch", hosts_mbps=got), result("tcp", 2, "websearch")], tmp_path / "r.html")
    row = re.search(r"Goodput of hosts.*?<td>websearch</td><td>tcp</td>(.*?)</tr>", (tmp_path / "r.html").read_text(), re.S)
    assert re.findall(r">([\d.]+)<", row.group(1)) == ["0", "2", "15", "0", "5", "12"]


@pytest.mark.parametrize("rates, index", [([3, 3, 3], 1), ([1, 1, 0, 0], .5), ([5, 0, 0, 0], .25), ([3, 1], .8),
                                          ([0, 0], 0)])
def test_fairness_is_jains_index(rates, index):
    assert experiment.jain(rates) == pytest.approx(index)


def test_other_commits_and_kernels_have_sections_of_their_own(tmp_path):
    report.write([result("tcp", 1), result("tcp", 1, kernel="6.12"), result("tcp", 1, commit="def"),
                  result("tcp", 2)], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert text.count("<h2>fat-tree k=4, 50 Mbit/s: permutation</h2>") == 3
    assert text.count("; --seconds 5 --load 0.6. Subflow ") == 3
    assert "Subflow def, kernel 6.1," in text and "Subflow abc, kernel 6.12," in text


def beside(runs):
    """What stands beside published figures, and beside the model, of plain TCP: two cells and a sentence."""
    measured = report.emulated(results.runs(runs))
    cells = []
    for text, about, at in ((report.published(*measured), "ECMP, one path a flow", 2),
                            (report.theory(*measured), "one path by ECMP", 5)):
        row = re.search(rf"<tr><td>{about}</td>.*?</tr>", text).group(0)
        cells.append(re.findall(r"<td.*?>(.*?)</td>", row)[at])
        assert "mulated here" in text
    return *cells, re.search(r"(Emulated here|Nothing of it).*?[.]", text).group(0)


def of_settings(run, **settings):
    return {**run, "settings": {**run["settings"], **settings}}


def of_shape(run, **shape):
    return {**run, "shape": {**run["shape"], **shape}}


@pytest.mark.parametrize("what, other", [
    ("kept by --busy", result("tcp", 2, mean_mbps=48.0, busy="only 3 % of the CPU was idle")),
    ("polarised", of_settings(result("tcp", 2, mean_mbps=48.0), fabric="fat-tree k=4, 50 Mbit/s, polarised")),
    ("asymmetric", of_shape(result("tcp", 2, mean_mbps=48.0), asymmetry=["core0=10"])),
    ("broken", of_settings(result("tcp", 2, mean_mbps=48.0), fail=["1:down:core0"])),
    ("larger", of_shape(result("tcp", 2, mean_mbps=48.0), k=6)),
    ("of an older commit", result("tcp", 2, mean_mbps=48.0, commit="older")),
    ("of another kernel", result("tcp", 2, mean_mbps=48.0, kernel="5.0"))])
def test_what_does_not_count_is_not_beside_published_figures_and_the_model(what, other):
    ours = result("tcp", 1, mean_mbps=24.0)
    assert beside([other, ours]) == beside([ours]) == ("0.5", "0.5", "Emulated here: Subflow abc."), what


def test_where_nothing_counts_nothing_is_beside_them():
    busy = result("tcp", 1, busy="only 3 % of the CPU was idle")
    assert beside([busy]) == ("-", "-", "Nothing of it was emulated here that counts.")


@pytest.mark.parametrize("which", [0, 1])
def test_in_a_busy_run_nothing_is_found(which):
    runs = [result(system, 1, mean_mbps=24.0) for system in ("tcp", "subflow")]
    others = [result(system, 1, "stride8", mean_mbps=24.0) for system in ("tcp", "subflow")]
    assert "<b>1.00 x</b>" in report.found_in(runs)
    runs[which]["busy"] = "only 3 % of the CPU was idle"
    assert report.found_in(runs) == ""
    assert report.found_in(runs + others) == report.found_in(others) != "", "the others count as before"


def test_what_was_measured_again_takes_the_place_of_a_busy_run():
    busy, again = result("tcp", 1, busy="only 3 % of the CPU was idle"), result("tcp", 1)
    other = result("tcp", 2, busy="only 3 % of the CPU was idle")
    assert results.runs([busy, other, again]) == [other, again] and results.runs([busy]) == [busy]


def test_ceilings_are_no_runs(tmp_path):
    top = result("tcp", 1, "ceiling")
    del top["series"]
    report.write([top, result("tcp", 1), result("tcp", 2, "ceiling", discarded="too low")], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "1 runs that passed all gates, 1 thrown away" in text and "too low" in text


def test_what_was_thrown_away_or_measured_on_a_busy_machine_is_said(tmp_path):
    runs = [result("tcp", 1), result("tcp", 2, discarded="3 joins were <rejected>"),
            result("tcp", 3, busy="only 3 % of the CPU was idle")]
    report.write(runs, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "1 runs that passed all gates, 1 kept that did not (--busy), 1 thrown away" in text
    assert "3 joins were &lt;rejected&gt;" in text and "1 of these 2 runs missed the gate" in text


IDENTITY = {"workload": "w", "system": "s", "seed": 1, "settings": {"rate": 50}}


def test_a_store_keeps_and_knows_what_it_has(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    with results.Store(path) as store:
        assert not store.find(**IDENTITY)
        store.add({**IDENTITY, "discarded": "busy"})
        assert not store.find(**IDENTITY), "what was thrown away is measured again"
        store.add({**IDENTITY, "discarded": "", "mean_mbps": 7})
    with results.Store(path) as again:
        assert again.find(**IDENTITY)["mean_mbps"] == 7 and not again.find(**{**IDENTITY, "seed": 2})
        assert not again.find(**{**IDENTITY, "settings": {"rate": 51}})
        with path.open("a") as file:
            file.write('{"cut off by a cra')
        again.add({**IDENTITY, "seed": 2, "discarded": ""})
        with path.open("a") as file:
            file.write("7\n")
    assert [r["seed"] for r in results.read(path)] == [1, 1, 2]
    assert results.read(path)[0]["kernel"] and again.strangers() == 0


def test_what_was_kept_on_a_busy_machine_is_measured_again(tmp_path):
    with results.Store(tmp_path / "r.jsonl", takes_busy=True) as store:
        store.add({**IDENTITY, "discarded": "", "busy": "only 3 % of the CPU was idle"})
        assert store.find(**IDENTITY)
    with results.Store(store.path) as quiet:
        assert not quiet.find(**IDENTITY)
        quiet.add({**IDENTITY, "discarded": ""})
        assert quiet.find(**IDENTITY)
    with results.Store(store.path, takes_busy=True) as again:
        assert "busy" not in again.find(**IDENTITY)


def test_a_store_is_of_one_run_at_a_time(tmp_path):
    """What another has added before is known then."""
    second = results.Store(tmp_path / "r.jsonl")
    with results.Store(second.path) as first:
        with pytest.raises(LabError, match="another run writes to .*r.jsonl: wait for it, or take another --results"):
            second.__enter__()
        first.add({**IDENTITY, "discarded": ""})
    with second:
        assert second.find(**IDENTITY)


def test_a_store_that_cannot_be_written_is_said():
    with pytest.raises(LabError, match="/proc/no/r.jsonl cannot be written .*: take another --results"):
        results.Store(Path("/proc/no/r.jsonl")).__enter__()


@pytest.mark.parametrize("key", results.VERSIONS)
def test_what_was_measured_with_something_else_is_another_run(tmp_path, monkeypatch, key):
    with results.Store(tmp_path / "r.jsonl") as store:
        store.add({**IDENTITY, "discarded": ""})
    now = {**results.versions(), key: "of another day"}
    monkeypatch.setattr(results, "versions", lambda: now)
    with results.Store(store.path) as other:
        assert not other.find(**IDENTITY) and other.strangers() == 1
        other.add({**IDENTITY, "discarded": ""})
    assert other.find(**IDENTITY)[key] == "of another day"


def test_each_change_of_the_tree_is_another_commit(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *words],
                       check=True, capture_output=True)

    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert results.commit() is None, "no repository"
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    names = [results.commit()]
    for name, text in (("file", "2"), ("file", "3"), ("new", "4"), ("new", "5")):
        (tmp_path / name).write_text(text)
        names.append(results.commit())
    assert len(set(names)) == 5 and all(name.startswith(names[0] + "+") for name in names[1:])
    (tmp_path / "new").unlink()
    git("checkout", "file")
    assert results.commit() == names[0]


def test_what_was_built_before_the_tree_changed_is_another_commit(tmp_path, monkeypatch):
    """As ninja itself has it, of one file that is made of another."""
    build, source = tmp_path / "build", tmp_path / "source"
    build.mkdir()
    (build / "build.ninja").write_text(f"rule copy\n command = cp $in $out\nbuild binary: copy {source}\n")
    monkeypatch.setenv("SUBFLOW_BUILD", str(build))
    monkeypatch.setattr(results, "commit_of_tree", lambda: "abc")
    source.write_text("1")
    subprocess.run(["ninja", "-C", build], check=True, capture_output=True)
    assert results.commit() == "abc"
    os.utime(source, (time.time() + 9, time.time() + 9))
    assert results.commit() == "abc with older binaries"
    monkeypatch.setenv("SUBFLOW_BUILD", str(tmp_path / "nothing"))
    assert results.commit() == "abc", "what is not there is said by who needs it"


def test_a_link_without_a_rate_is_grey_whatever_it_carries():
    picture = draw.svg(fabric.leaf_spine_topology(1, 2, 1, 20), {"host0>leaf0": 900, "leaf0>spine0": 10, "spine0>leaf1": 20})
    lines = {title.partition(":")[0]: (colour, title) for colour, title in re.findall(
        r'<path [^>]*stroke="(#\w+)"[^>]*><title>([^<]*)', picture.replace("&gt;", ">"))}
    assert lines["host0>leaf0"] == (draw.colour(0), "host0>leaf0: 900.0 Mbit/s, no rate")
    assert lines["leaf0>spine0"] == (draw.colour(.5), "leaf0>spine0: 10.0 Mbit/s, 50%")
    assert lines["spine0>leaf1"] == (draw.colour(1), "spine0>leaf1: 20.0 Mbit/s, 100%")


RING = [*((f"host{i}", f"r{i}", None) for i in range(4)), *((f"r{i}", f"r{(i + 1) % 4}", 20) for i in range(4))]


def ring(system, **more):
    """A result of a topology that only the file that was loaded then knows."""
    run = result(system, 1, links_mbps={f"{x}>{y}": 20.0 for a, b, _ in RING for x, y in ((a, b), (b, a))})
    return {**run, "shape": {"topology": "ring", "rate": 20, "asymmetry": None, "k": 4, **more}}


def test_a_topology_of_another_file_is_drawn_with_what_it_carried(tmp_path):
    runs = [ring(system, links=json.loads(json.dumps(RING))) for system in ("tcp", "subflow")]
    report.write(runs, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert text.count("<title>r3&gt;r0: 20.0 Mbit/s, 100%</title>") == text.count("<title>host0&gt;r0: 20.0 Mbit/s, no rate") == 2
    assert "no map" not in text


def test_one_that_results_do_not_tell_is_left_out_and_said_so(tmp_path):
    report.write([ring("tcp"), ring("subflow")], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert text.count("no map of the links, since these results do not tell those of a ring.") == 2
    assert "<title>r3&gt;r0" not in text and "<h3>What it took</h3>" in text


@pytest.mark.parametrize("topology", [fabric.fat_tree_topology(4, 50), fabric.leaf_spine_topology(2, 3, 2, 20)])
def test_links_tell_the_whole_topology(topology):
    again = fabric.of_links(json.loads(json.dumps(topology.links)))
    assert (again.hosts, sorted(again.routers)) == (topology.hosts, sorted(topology.routers))
    assert list(map(sorted, draw.tiers(again))) == list(map(sorted, draw.tiers(topology)))
    assert pictures.measured_on({"shape": {"links": again.links}}).links == topology.links


def test_links_within_a_tier_go_around_who_is_in_between():
    """One that is straight would lie on the others, and behind their routers."""
    picture = draw.svg(fabric.of_links(RING), {"r3>r0": 20})
    ways = dict(re.findall(r'<path [^>]*d="([^"]*)"[^>]*><title>([^:<]*)', picture.replace("&gt;", ">")))
    ways = {name: way for way, name in ways.items()}
    heights = {name: re.search(r"^M \S+ (\S+) Q \S+ (\S+) \S+ (\S+)$", ways[name]).groups() for name in
               ("r0>r1", "r1>r0", "r2>r3", "r3>r0", "r0>r3")}
    rise = {name: float(ends) - float(middle) for name, (ends, middle, _) in heights.items()}
    assert rise["r3>r0"] > 2 * rise["r0>r1"] > 0 and heights["r3>r0"] != heights["r0>r3"]
    assert all(" L " in ways[name] for name in ways if "host" in name)


def test_tiers():
    tiers = draw.tiers(fabric.fat_tree_topology(4, 50))
    assert [len(tier) for tier in tiers] == [16, 8, 8, 4] and tiers[-1][0] == "core0"


@pytest.mark.parametrize("load, expected", [(0, "#cdd2d7"), (1, "#c81e1e"), (5, "#c81e1e")])
def test_colours(load, expected):
    assert draw.colour(load) == expected
