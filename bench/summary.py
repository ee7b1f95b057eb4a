# SPDX-License-Identifier: MIT
"""What the benchmarks have left in JSON, beside the goals: as a table, and as docs/results.md."""
import json
import time
from pathlib import Path

import rows
import runner

RESULTS = Path(__file__).with_name("results")
PAGE = runner.ROOT / "docs" / "results.md"
UNMEASURED = {"median": None, "worst": None, "met": None, "values": []}


def read(directory):
    """{name of the command: what it left}, those that the runner wrote."""
    found = {}
    for path in sorted(directory.glob("*.json")):
        data = json.loads(path.read_text())
        if "figures" in data:
            found[data["bench"]] = data
    return found


def lines(found):
    """Every figure there is a goal for, as the runner's lines; met is None where not measured."""
    measured = {(name, line["key"]): {**line, "busy": data.get("busy"), "quick": data["quick"]}
                for name, data in found.items() for line in data["figures"]}
    return [measured.get((f.bench, f.key)) or {
        "row": f.row, "key": f.key, "what": f.what, "unit": f.unit, "goal": f.goal,
        "goal_worst": f.worst, "smaller": f.smaller, "baseline": f.baseline, "limit": f.limit,
        **UNMEASURED} for f in rows.FIGURES]


def verdict(line):
    said = "not measured" if line["met"] is None else "met" if line["met"] else "falls short"
    return said + ("; busy machine, does not count" if line.get("busy") else "")


def cells(line):
    return *runner.cells(line)[:-1], verdict(line)


def tally(every):
    counted = [line for line in every if not line.get("busy")]
    return (f"{sum(line['met'] is True for line in counted)} met,"
            f" {sum(line['met'] is False for line in counted)} fall short,"
            f" {sum(bool(line.get('busy')) for line in every)} measured on a busy machine,"
            f" {sum(line['met'] is None for line in every)} not measured")


def markdown(found):
    """docs/results.md: only what the JSON says, so that anybody can make it again."""
    every = lines(found)
    text = [
        "# Results", "",
        "Made by `bench/all --page` from `bench/results/*.json`; do not edit. Each figure is a ratio"
        " of, or a",
        "difference between, things measured side by side on one machine; median and worst are those"
        " of the rounds.",
        "*Without* is what there was before, or what the obvious way gives. What falls short is said"
        " so.", "", f"**{tally(every)}.**", "",
        "| row | figure | median | worst | goal | without | limit | |", "|" + "---|" * 8]
    for line in every:
        row = list(cells(line))
        if line["met"] is False:
            row[-1] = f"**{row[-1]}**"
        text.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    text += ["", "## How they were measured", ""]
    for name, data in found.items():
        day = time.strftime("%Y-%m-%d", time.gmtime(data["started"]))
        thrown = len(data["discarded"])
        text.append(f"- `bench/{name}{' --quick' if data['quick'] else ''}`: {day}, commit"
                    f" {data['commit']}, kernel {data['kernel']}, {data['cpus']} CPUs,"
                    f" {len(data['rounds'])} rounds in {data['seconds']} s; {thrown} runs thrown away"
                    + (f", the last because {data['discarded'][-1]['reason']}" if thrown else "")
                    + ("; **the machine was busy with other things**" if data.get("busy") else "")
                    + ".")
    missing = sorted({f.bench for f in rows.FIGURES} - set(found))
    if missing:
        text += ["", "No results of: " + ", ".join(f"`{name}`" for name in missing) + "."]
    return "\n".join(text) + "\n"
