# SPDX-License-Identifier: MIT
"""The report of real runs, as a browser shows it; the model beside what was measured."""
import json
import re
import sys

import labs
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests"))
from browser import assert_full, look  # noqa: E402
from lab import draw, pictures, report, results  # noqa: E402


TRIES = 3


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A fat-tree of k = 4 with two seeds of a permutation, and a mix on it. What a busy machine made miss
    its gates is measured again, as everybody would."""
    command = labs.Command(tmp_path_factory.mktemp("lab"))
    words = "--rate", 20, "--busy", "--system", "tcp", "--system", "subflow", "--results", command.results
    for workload, seeds in (("permutation", 2), ("websearch", 1)):
        for _ in range(TRIES):
            status, output, error = command("run", workload, "--seeds", seeds, "--seconds", 2, *words)
            if f"{2 * seeds} of {2 * seeds} runs " in output:
                break
        else:
            pytest.fail(output + error)
    return command


def classes_of(kept):
    """Of how many classes of sizes each system has a line of completion times."""
    sized = [run for run in kept if "completions" in run]
    return sum(all(sum(low <= c["bytes"] < high for c in run["completions"]) > 1 for run in sized)
               for _, low, high in pictures.classes(report.start_of(sized[0]["settings"])))


def over_time_of(run):
    """An area for each path that carried anything to speak of, and a line for each subflow more, where there is room."""
    told = pictures.splits(run)
    marks = {"area": sum(max(rates) > 0 for rates in run["series"]["paths"].values())}
    return marks | ({"split": len(told), "value": len(told)} if 0 < len(told) <= 8 else {})


def map_of(run):
    return {"link": sum(draw.colour(mbps / run["shape"]["rate"]) != draw.IDLE for mbps in run["links_mbps"].values())}


@pytest.fixture
def quiet(measured, tmp_path):
    """Its results as if nobody else had used the machine: what does not count is not held against anything, and
    which runs that are is not the matter."""
    path = tmp_path / "quiet.jsonl"
    path.write_text("".join(json.dumps({key: value for key, value in result.items() if key != "busy"}) + "\n"
                            for result in results.read(measured.results)))
    return path


def test_no_plot_of_a_real_run_is_empty(measured, quiet, tmp_path):
    page = tmp_path / "report.html"
    status, output, error = measured("report", "--bench", tmp_path, "--results", quiet, "-o", page)
    assert status == 0 and output.startswith("6 runs: "), error
    title, shown = look(page, tmp_path)
    assert title == "Subflow in the lab"
    kept = measured.kept()
    last = [max((run for run in kept if run["workload"] == "permutation" and run["system"] == system),
                key=lambda run: run["seed"]) for system in ("tcp", "subflow")]
    # Bars, completion times, two over time, two maps.
    assert_full(shown, [{"bar": 2, "seeds": 2, "value": 2, "whisker": 2}, {"step": 2 * classes_of(kept)},
                        *map(over_time_of, last), *map(map_of, last)])
    assert shown[3][2]["area"] == 4 and shown[5][2]["link"] > shown[4][2]["link"] >= 64
    assert page.with_suffix(".png").stat().st_size > 100000
    text = page.read_text()
    assert text.count("<b>permutation</b>: ") == text.count("<b>websearch</b>: mean completion") == 1
    row = re.search(r"<tr><td>one path by ECMP</td>.*?</tr>", text).group(0)
    assert .3 < float(re.findall(r">([\d.]+)<", row)[-1]) < .9, "what was emulated stands beside the model"


def test_the_emulation_is_what_the_model_says(measured, quiet, tmp_path):
    """Of the same permutations; and one that is not is noticed."""
    _, output, error = measured("model", "--check", quiet)
    ours, tcp = (line.split() for line in output.splitlines()[1:])
    assert ours[:5] == ["k", "=", "4,", "subflow", "2"] and tcp[:5] == ["k", "=", "4,", "tcp", "2"], error
    assert "differs" not in tcp
    # Four paths of one's own: all that there is, by the model. Others may use this machine as well.
    assert ours[6] == "1.000" and float(ours[7]) > -.2 and float(ours[5]) > float(tcp[5]) + .1
    false = tmp_path / "false.jsonl"
    false.write_text("".join(json.dumps({**result, "mean_mbps": .99 * result["ceiling_mbps"]}) + "\n"
                             for result in results.read(quiet) if result["workload"] == "permutation"))
    status, output, _ = measured("model", "--check", false)
    assert status == 1 and [line.split()[3] for line in output.splitlines() if "differs" in line] == ["tcp"]
