# SPDX-License-Identifier: MIT
"""bench/all and bench/compare: what is not measured is shown, what is worse is said."""
import json
import os
import re
import shutil
import subprocess

import kept
import pytest
import rows
import runner
import summary
from conftest import ROOT


ROUNDS = 5
# Of what is measured in the tree.
EVERY = summary.lines(kept.read(kept.RESULTS))


def leave(directory, name="fabric", without=None, rounds=ROUNDS, **values):
    head = {key: values.pop(key) for key in ("busy", "quick", "incomplete", "said", "options") if key in values}
    figures = rows.of(name)
    lines = [runner.judge(figures[key.replace("_", "-")], v, without) for key, v in values.items()]
    directory.mkdir(exist_ok=True)
    path = directory / (f"{name}.json.part" if head.get("incomplete") else f"{name}.json")
    path.write_text(json.dumps({
        "bench": name, "quick": False, "busy": False, "incomplete": False, "commit": "abc",
        "kernel": "6.1", "cpus": 2, "started": 0, "seconds": 9, "figures": lines, "discarded": [],
        "said": "", "rounds": [{}] * rounds, **head}))
    return path


def run(*words, env=None):
    return subprocess.run(["/usr/bin/python3", *map(str, words)], cwd=ROOT / "bench",
                          capture_output=True, text=True, env={**os.environ, **(env or {})})


def test_every_goal_has_a_line_also_without_a_result(tmp_path):
    leave(tmp_path, goodput=[.99, .97, .98], over_ecmp=[1.2, 1.3])
    shown = run("all", "--page", "--results", tmp_path)
    assert shown.returncode == 0, shown.stderr
    body = shown.stdout.strip().splitlines()
    assert len(body) == 1 + len(rows.FIGURES) + 1
    assert body[-1] == (f"1 met, 1 fall short, 0 do not count,"
                        f" {len(rows.FIGURES) - 2} not measured")
    assert [line for line in body if "falls short" in line][0].split()[2:4] == ["/", "that"]


@pytest.mark.parametrize("head, why", [
    ({"busy": True}, "busy machine"), ({"quick": True}, "--quick"), ({"rounds": 4}, "4 rounds only"),
    ({"incomplete": True}, "interrupted"), ({"options": {"scale": .01}}, "--scale 0.01")])
def test_what_does_not_count_is_not_counted(tmp_path, head, why):
    leave(tmp_path, goodput=[.99, .99], **head)
    found = kept.read(tmp_path)
    assert summary.tally(summary.lines(found)).startswith("0 met, 0 fall short, 1 do not count")
    page = summary.markdown(found)
    assert f"met; does not count: {why} |" in page and f"**does not count**: {why}" in page


def test_what_is_whole_is_shown_and_not_what_was_interrupted(tmp_path):
    leave(tmp_path, goodput=[.5], incomplete=True)
    leave(tmp_path, goodput=[.99, .98])
    assert kept.read(tmp_path)["fabric"]["figures"][0]["median"] == .985


def test_quick_leaves_what_is_kept_alone(tmp_path):
    path = leave(tmp_path, "idle", **{"10k": [.01, .02]})
    before = path.read_text()
    shown = run("all", "idle", "--quick", "--results", tmp_path, env={"SUBFLOW_BUILD": "/nowhere"})
    assert shown.returncode == 1, "there is nothing to measure"
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == before
    assert shown.stdout.strip().splitlines()[-2].startswith("0 met, 0 fall short, 0 do not count")


@pytest.mark.parametrize("other, is_kept", [
    ({}, True), ({"commit": "another"}, False), ({"kernel": "another"}, False), ({"cpus": 99}, False),
    ({"busy": True}, False), ({"options": {"scale": .01}}, False)])
def test_what_is_done_is_passed_over_by_resume(tmp_path, monkeypatch, other, is_kept):
    monkeypatch.setenv("SUBFLOW_BUILD", "/nowhere")  # what was built before the tree changed is another commit
    path = leave(tmp_path, "idle", **{"10k": [.01, .02]})
    same = {key: kept.begin("idle", False)[key] for key in kept.IDENTITY}
    path.write_text(json.dumps({**json.loads(path.read_text()), **same, **other}))
    before = path.read_text()
    shown = run("all", "idle", "--resume", "--results", tmp_path)
    assert ("== bench/idle: kept from before" in shown.stderr) == is_kept
    assert shown.returncode == (0 if is_kept else 1), "there is nothing to measure"
    assert path.read_text() == before
    if is_kept:
        kept.part_of(path).write_text("{}")
        assert not kept.is_done(path, kept.begin("idle", False)), "another run was begun since"


def test_the_page_says_what_falls_short(tmp_path, monkeypatch):
    monkeypatch.delitem(rows.LIMITS, ("fabric", "over-ecmp"))
    leave(tmp_path, over_ecmp=[1.2, 1.3], over_4_random=[1.05, 1.06])
    page = summary.markdown(kept.read(tmp_path))
    assert "| 1.250 | 1.200 | >= 1.650 | - | 1 | 1.68 | **falls short** |" in page
    assert "2 rounds" not in page and "no results of `bench/fabric`" not in page
    assert "- 1970-01-01, commit abc, kernel 6.1, 2 CPUs, 5 rounds in 9 s, 0 runs thrown away" in page
    assert ("- **Row 2, goodput / that of TCP over ECMP** (1.250, worst 1.200; the goal is >= 1.650)."
            " No reason is known yet.") in page
    assert rows.LIMITS["fabric", "over-4-random"] in page
    assert rows.LIMITS["tax", "connects"] not in page, "it was not measured"


def test_a_reason_quotes_what_was_measured(tmp_path, monkeypatch):
    """Its own, what is beside it and what the same command found; and is none where that is not there."""
    monkeypatch.setitem(rows.LIMITS, ("fabric", "goodput"),
                        "{each}: {low} to {high}, {worst}, TCP {without[TCP][median]}, row 3 {of[worst-flow][median]}.")
    leave(tmp_path, goodput=[.7, .9, .8], worst_flow=[.5], without={"TCP": [.6]})
    assert (". 0.700, 0.800, 0.900: 0.700 to 0.900, 0.700, TCP 0.600, row 3 0.500.\n"
            in summary.markdown(kept.read(tmp_path)))
    leave(tmp_path, goodput=[.7, .9, .8], without={"TCP": [.6]})
    assert f"worst >= 0.950). {summary.UNKNOWN}\n" in summary.markdown(kept.read(tmp_path))


# A share, or a time.
FIGURE = re.compile(r"(?<![\d.])\d*\.\d|\d (?:ms|us|ns|s)\b")


@pytest.mark.parametrize("key", rows.LIMITS, ids="-".join)
def test_what_a_reason_says_in_figures_is_measured_or_has_a_source(key):
    """Quoted from what the command left, which has it, once it was measured; or by theory, by a setting, or by hand and
    when."""
    for line in EVERY:
        if (line["bench"], line["key"]) == key and line["met"] is not None:
            assert summary.reason(line, EVERY) != summary.UNKNOWN
    for sentence in re.split(r"(?<=[a-z)\]}`])\. ", rows.LIMITS[key]):
        if FIGURE.search(sentence):
            assert re.search(r"theory|\(by hand, \d{4}-\d\d-\d\d|\[\w+\] \w+", sentence), sentence


def test_the_page_says_of_which_commit_each_figure_is(tmp_path):
    """Above the table, and in each line of it."""
    leave(tmp_path, goodput=[.99], without={"TCP": [.6]})
    page = summary.markdown(kept.read(tmp_path))
    assert "\nAll figures are of commit abc; what was changed after it is not in them.\n" in page.split("| row |")[0]
    path = leave(tmp_path, "recover", stall=[40])
    path.write_text(path.read_text().replace('"abc"', '"def"'))
    page = summary.markdown(kept.read(tmp_path))
    assert ("and not all of one; what was changed after it is not in them:"
            " those of `fabric` of abc; those of `recover` of def.\n") in page.split("| row |")[0]
    lines = {what: [line for line in page.splitlines() if f"| {what} |" in line][0] for what in (
        "goodput / ceiling, at most 4 subflows", "longest stall, one of 4 paths black-holed, ms",
        "CPU of the daemon, 10 000 idle connections, %")}
    assert [line.rsplit("| ", 2)[1:] for line in lines.values()] == [
        ["met ", "`fabric` abc |"], ["met ", "`recover` def |"], ["not measured ", "`idle` |"]]
    assert "| 1 | TCP over ECMP, goodput / ceiling | 0.600 | 0.572 to 0.608 | again | `fabric` abc |" in page


def test_the_page_says_the_gates_and_how_it_was_measured(tmp_path):
    path = leave(tmp_path, goodput=[.99], without={"TCP": [.6]}, said="TCP 0.6\n")
    data = json.loads(path.read_text())
    data["discarded"] = [{"round": n, "variant": "tcp", "reason": "no CPU\nmore"} for n in range(2)]
    path.write_text(json.dumps(data))
    page = summary.markdown(kept.read(tmp_path))
    assert "at least 15% of the CPU was idle" in page and "fell back to TCP" in page
    assert "| TCP 0.600 (worst 0.600) | TCP .59, 4 random ports .865, 8 random .87 |" in page
    assert "### bench/fabric\n\nA fat-tree of 16 hosts" in page and "```\nTCP 0.6\n```" in page
    assert "2 runs thrown away\n- thrown away: 2 of tcp, because no CPU\n" in page
    assert "No results of: `bulk`" in page


def test_the_gates_are_those_that_the_commands_have():
    commands = [name for names, _ in summary.GATES for name in names]
    assert sorted(commands) == sorted({figure.bench for figure in rows.FIGURES})
    words = [("experiment.measure(",), ("runner.idle_machine(", "runner.IDLE_MIN"), ("runner.quiet_machine(",), ()]
    for (names, _), own in zip(summary.GATES, words):
        for name in names:
            text = (ROOT / "bench" / name).read_text()
            has = {word for every in words for word in every if word in text}
            assert has <= set(own) and bool(has) == bool(own), name
            assert ("the ceiling is" in text) == (name == "fabric")


def test_each_command_that_has_not_all_gates_says_why():
    assert set(summary.LACKING) == {figure.bench for figure in rows.FIGURES} - {"fabric"}
    page = summary.markdown({})
    assert all(f"- `{name}`: {why}\n" in page for name, why in summary.LACKING.items())


@pytest.mark.parametrize("name, text", [
    ("mix", "LOAD, QUICK_S, GSO_BYTES = 40, .6,"), ("mix", 'elephants(r[f"{where} tcp"]) / elephants('),
    ("harmless", "rates[1] / (sum(rates) / 2)"), ("harmless", '/ r["mptcp"][key]'),
    ("detect", '"max_subflows": 1}'), ("detect", "(sent - threshold) / window"),
    ("detect", "statistics.median(between)"),
    ("react", "subflows did not come about"), ("react", "if missing and not is_polled"),
    ("recover", "cut_ns - 1_000_000_000, cut_ns)[0]"), ("recover", "wait_for_paths(lab, daemon, known, PORT)"),
    ("bulk", "return [statistics.median(ours[key] / theirs[key]"), ("bulk", "subflows beyond the first"),
    ("tax", '"max_subflows": 1}'), ("idle", "KNOWN_MIN = .95"),
    ("spread", "wait_until(lambda: len(established(source)) == size"), ("spread", '["median_us"]')])
def test_why_a_command_has_not_all_gates_is_so(name, text):
    """What the reason speaks of is there; who changes it looks at the reason as well."""
    assert text in (ROOT / "bench" / name).read_text(), summary.LACKING[name]


@pytest.mark.parametrize("name", ["fabric", "harmless", "mix"])
def test_a_command_with_elephants_says_from_where_on(name):
    assert "paper" in summary.about(name) and "1 MB" in summary.about(name)


def whole_fabric(directory, **head):
    """(what bench/fabric leaves today, a round of it)."""
    data = json.loads(leave(directory, goodput=[.99], **head).read_text())
    one = {"mean_mbps": 20, "flows_mbps": [20]}
    both = {"stride8": one, "permutation": one}
    whole = {"ceiling": one, "alone": one, **{name: both for name in ("tcp", "random4", "random8", "subflow")}}
    data["rounds"] = [whole] * ROUNDS
    data["figures"], _ = runner.judge_all("fabric", runner.load("fabric").figures, data)
    return data, whole


def why_nothing(found):
    """{goal that nothing is held against: what the page says of it}."""
    lines = summary.unmeasured(summary.lines(found), found)
    return dict(line.removeprefix("- **").split("**. ") for line in lines if line.startswith("- "))


def test_each_goal_without_a_figure_has_a_reason(tmp_path):
    assert len(why_nothing({})) == len({(figure.row, figure.what) for figure in rows.FIGURES})
    goodput = "Row 1, goodput / ceiling, at most 4 subflows"
    assert why_nothing({})[goodput] == "There are no results of `bench/fabric`."
    data, whole = whole_fabric(tmp_path)
    assert goodput not in why_nothing({"fabric": data})
    del data["figures"][0], data["figures"][-1]
    assert why_nothing({"fabric": data})[goodput] == (
        "`bench/fabric` was measured before the command was changed: no figure `goodput`, `worst-flow`.")
    data["rounds"] = [{name: whole[name] for name in whole if name != "random8"}] * ROUNDS
    assert why_nothing({"fabric": data})[goodput] == (
        "`bench/fabric` was measured before the command was changed: its rounds have no `random8`.")


@pytest.mark.parametrize("head, why", [
    ({}, summary.UNKNOWN), ({"busy": True}, summary.UNKNOWN),
    ({"quick": True}, "`bench/fabric` was not measured as by default: --quick.")])
def test_a_figure_that_the_command_leaves_out_without_a_reason_is_noticed(tmp_path, monkeypatch, head, why):
    data, _ = whole_fabric(tmp_path, **head)
    fabric = runner.load("fabric")
    monkeypatch.setattr(runner, "load", lambda _: fabric)
    every = fabric.figures
    monkeypatch.setattr(fabric, "figures", lambda rounds: {"over-4-random": every(rounds)["over-4-random"]})
    data["figures"] = data["figures"][2:3]
    assert why_nothing({"fabric": data})["Row 3, worst flow / fair share"] == why
    assert (summary.UNKNOWN in summary.markdown({"fabric": data})) == (why == summary.UNKNOWN)


def test_what_was_measured_before_the_command_was_changed_is_said(tmp_path):
    """By the command itself, from the rounds that are kept: nobody has to remember it."""
    data, whole = whole_fabric(tmp_path)
    assert summary.differences("fabric", data) == []
    assert "before the command was changed" not in "\n".join(summary.section("fabric", data))
    del data["figures"][0]["without"]["TCP"], data["figures"][1]
    data["figures"].append({**data["figures"][0], "key": "of-old", "without": {}})
    data["figures"][1]["without"] = {"a way of old": {}}
    assert summary.differences("fabric", data) == [
        "no figure `over-ecmp`", "a figure more `of-old`", "beside `goodput` no `TCP`",
        "beside `over-4-random` also `a way of old`"]
    data["rounds"] = [{name: whole[name] for name in whole if name != "random8"}] * ROUNDS
    assert summary.differences("fabric", data) == ["its rounds have no `random8`"]
    assert ("- **measured before the command was changed**: its rounds have no `random8`"
            in summary.section("fabric", data))
    data["rounds"] = [7]
    assert summary.differences("fabric", data) == ["its rounds are of another form"]


def test_goals_that_have_changed_since_are_held_against_what_was_measured(tmp_path):
    path = leave(tmp_path, goodput=[.99])
    path.write_text(path.read_text().replace('"goal": 0.98', '"goal": 0.999').replace(
        '"met": true', '"met": false'))
    (line,) = [line for line in summary.lines(kept.read(tmp_path)) if line["key"] == "goodput"
               and line["bench"] == "fabric"]
    assert line["goal"] == .98 and line["met"] is True


def test_the_page_in_the_tree_is_that_of_the_results_in_the_tree():
    made = summary.markdown(kept.read(kept.RESULTS))
    assert summary.PAGE.read_text() == made, "make it again: bench/all --page"


def test_an_unknown_name_is_refused():
    shown = run("all", "nothing")
    assert shown.returncode == 2 and "there is no bench/nothing; there are fabric" in shown.stderr


@pytest.mark.parametrize("bench, key, old, new, said, status", [
    ("fabric", "goodput", [.9, .95], [.8, .85], "worse", 1),
    ("fabric", "goodput", [.9, .95], [.91, .94], "", 0),
    ("fabric", "goodput", [.9, .95], [.97, .99], "better", 0),
    ("recover", "stall", [30, 40], [50, 60], "worse", 1),
    ("recover", "stall", [30, 40], [20, 25], "better", 0),
])
def test_compare(tmp_path, bench, key, old, new, said, status):
    a = leave(tmp_path / "a", bench, **{key: old})
    b = leave(tmp_path / "b", bench, **{key: new})
    for words in ((a, b), (a.parent, b.parent)):
        shown = run("compare", *words)
        assert shown.returncode == status, shown.stderr
        assert shown.stdout.splitlines()[1].split()[-1] == (said or f"{sum(new) / 2:.3f}")


def test_compare_with_rows_that_one_of_them_lacks(tmp_path):
    leave(tmp_path / "a", goodput=[.98], over_ecmp=[1.7])
    leave(tmp_path / "b", goodput=[.98], worst_flow=[.95])
    leave(tmp_path / "b", "recover", stall=[40])
    shown = run("compare", tmp_path / "a", tmp_path / "b")
    assert shown.returncode == 0, shown.stderr
    said = [line.split()[-2:] for line in shown.stdout.splitlines()[2:]]
    assert said == [["only", "old"], ["only", "new"], ["only", "new"]]


def test_what_does_not_count_is_compared_and_is_no_worse(tmp_path):
    a, b = leave(tmp_path / "a", goodput=[.9]), leave(tmp_path / "b", goodput=[.8], busy=True)
    shown = run("compare", a, b)
    assert shown.returncode == 0 and "worse" in shown.stdout and "new: busy machine" in shown.stdout


@pytest.mark.parametrize("text", ["{cut off", "[]", "7", '{"bench": "fabric"}', None])
def test_what_is_no_result_is_said_in_one_line(tmp_path, text):
    good = leave(tmp_path / "good", goodput=[.9])
    bad = tmp_path / "bad" / "fabric.json"
    bad.parent.mkdir()
    bad.write_bytes(text.encode() if text else b"\xff\xfe")
    for words in (("compare", good, bad), ("compare", bad.parent, good), ("all", "--page", "--results", bad.parent)):
        shown = run(*words)
        assert shown.returncode == 2 and shown.stderr.splitlines()[-1].startswith(f"bench/{words[0]}: error: {bad} ")
        assert "Traceback" not in shown.stderr


def test_who_reads_enough_of_a_comparison_may_go(tmp_path):
    path = leave(tmp_path, goodput=[.9])
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end) as nobody:
        done = subprocess.run(["/usr/bin/python3", ROOT / "bench" / "compare", path, path], stdout=nobody,
                              stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_page_is_made_by_whatever_name_the_results_have(tmp_path):
    """A tree of its own, whose page is written."""
    for name in ("bench", "lab"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for words in ((), ("--results", "bench/results"), ("--results", tmp_path / "bench" / "results")):
        (tmp_path / "docs" / "results.md").unlink(missing_ok=True)
        done = subprocess.run([tmp_path / "bench" / "all", "--page", *words], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0 and (tmp_path / "docs" / "results.md").exists(), (words, done.stderr)


def test_compare_without_a_file():
    shown = run("compare", "/nowhere", "/nowhere")
    assert shown.returncode == 2 and "there is no such file" in shown.stderr
