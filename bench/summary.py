# SPDX-License-Identifier: MIT
"""What the benchmarks have left in JSON, beside the goals: as a table, and as docs/results.md."""
import ast
import collections
import contextlib
import io
import math
import time
from pathlib import Path

import baselines
import runner
import kept
import rows
from lab import gates

PAGE = runner.ROOT / "docs" / "results.md"
INTRODUCTION = """\
# Results

Made by `bench/all --page` from `bench/results/*.json`; do not edit. Each figure is a ratio of, or a
difference between, things measured side by side on one machine, in turns; median and worst are those of
the rounds. *Without* was measured in the same rounds: what there is without Subflow, or what the obvious
way gives. *Known* is what was published, or what prototypes had given before. What falls short is said so,
and [why](#what-falls-short-and-why); what is not measured has a reason as well. Figures *by hand* were tried once,
on that day; nothing is kept of them, and where a command gives them again it is named.
"""
UNKNOWN = "No reason is known yet."
# (the commands, their gates)
GATES = (
    (("fabric", "mix", "harmless"),
     f"at least {runner.IDLE_MIN:.0%} of the CPU was idle, subflows came about as intended, no join was rejected and no"
     f" connection fell back to TCP (of a mix, at most {gates.FALLBACKS_OF_MIX:.0%}), no flow failed, and the congestion control was"
     " the one that was set. Of `fabric` the ceiling has to reach 94 % of the links' rate as well."),
    (("detect", "react", "recover"),
     f"at least {runner.IDLE_MIN:.0%} of the CPU was idle (of `recover`, at full speed). Of `detect` half of the thresholds could be"
     " told apart, and there was an elephant; how many connections went on as TCP is said, and they are left out. Of `react` all"
     " subflows came about, but for the poller's. Of `recover` four subflows were on four paths when one of these was cut, and"
     " the stream had not left it."),
    (("bulk", "tax"),
     f"others used {runner.OTHERS_MAX:.0%} of the CPU at most, before, meanwhile and after: these fill it themselves."),
    (("idle", "spread"),
     "these ask nothing of the CPU: `spread` counts, and `idle` takes the scheduler's own count of one process. Of `idle` the"
     " daemon knew 95 % of the connections, and all were still there."),
)
# {command: why it has not all of them}
LACKING = {
    "mix": "no ceiling, since a figure is the time that one way takes over that of another, for the same flows in the same round,"
    " and these load the hosts' links by 60 %. Full queues drop what a handshake needs, so that some short flows go on as"
    " TCP by MPTCP's own rules; their times are those that a user has.",
    "harmless": "no ceiling, since a figure is what flows get beside one way over what they get beside another, or over half of"
    " what both of two get together: what the links could carry is not in it.",
    "detect": "no joins, since connections have one subflow only (`max_subflows = 1`), and no ceiling, since no rate is a"
    " figure: bytes are held against the flow's own window, and flows against what they were to send; of the poller at"
    " 1 Gbit/s it is said how much that flow carried. A connection that went on as TCP has no threshold that anybody could be told of.",
    "react": "no ceiling, since no rate is a figure. A join that was rejected, and a connection that went on as TCP, are"
    " subflows that did not come about; a poller that comes too late for its elephant is a finding.",
    "recover": "no ceiling, since rates are held against what the same connection had in the second before the cut. A connection"
    " that went on as TCP has no four paths, and one whose join was rejected lacks one. Joins after the cut, and how many of"
    " them it takes, are what is measured.",
    "bulk": "no idle CPU, since more subflows at a CPU that is full are what it is about, and no ceiling, since no link has a"
    " rate. How many subflows there are is the rule's choice, and said below. A connection that went on as TCP would be one"
    " pair of those of which a round takes the median.",
    "tax": "no idle CPU, since mice use all that there is, and no ceiling, since their link has no rate. Mice have one subflow"
    " only (`max_subflows = 1`); of a call, its time is measured, and not what becomes of the subflow.",
    "idle": "nothing is sent, so that there are neither rates nor joins. A connection that went on as TCP is refused by the far"
    " end, and opened again.",
    "spread": "no ceiling, since no rate is a figure: a message on each subflow is all that is sent. A subflow that does not come about, because its join was rejected or"
    " its connection went on as TCP, ends the command. A CPU that is busy can add probes that are sent again, and no path;"
    " `placing` takes the median of its times.",
}
LACK = """\
All give their hosts their congestion control when they make them, in namespaces where nobody else sets it; `fabric`, `mix` and
`harmless` look again in the end. The other gates are an idle CPU, subflows as intended, no join that was rejected, no connection
that went on as TCP, and a ceiling near to the links' rate. `fabric` has them all. Not so:
"""
COUNTING = f"""\
A run that misses a gate is thrown away, tried {runner.ATTEMPTS} times in all, and named below with the reason. So these are
figures of runs in which all went as intended; how often it did not is among what was thrown away.

Figures of fewer than {kept.ROUNDS_MIN} rounds, of a busy machine, of an interrupted run, of `--quick`, or of any
option that makes a command measure something else do not count.
"""


def gated():
    """What counts, by command."""
    return ["## What counts", "", "A run counts if it passes the gates of its command:", "",
            *(f"- {', '.join(f'`{name}`' for name in commands)}: {said}" for commands, said in GATES), "",
            LACK, *(f"- `{name}`: {why}" for name, why in LACKING.items()), "", COUNTING]


def lines(found):
    """Every figure there is a goal for, as the runner's lines, judged by the goals as they are now."""
    measured = {(name, line["key"]): (line, kept.doubts(data))
                for name, data in found.items() for line in data["figures"]}
    every = []
    for figure in rows.FIGURES:
        line, doubts = measured.get((figure.bench, figure.key)) or (None, [])
        if not line:
            every.append(runner.blank(figure))
            continue
        without = {name: theirs["values"] for name, theirs in line.get("without", {}).items()}
        every.append({**runner.judge(figure, line["values"], without), "doubts": doubts})
    return every


def tally(every):
    counted = [line for line in every if not line["doubts"]]
    return (f"{sum(line['met'] is True for line in counted)} met,"
            f" {sum(line['met'] is False for line in counted)} fall short,"
            f" {sum(bool(line['doubts']) for line in every)} do not count,"
            f" {sum(line['met'] is None for line in every)} not measured")


def measured_by(name, found):
    """The command, and the commit that it was run on."""
    return f"`{name}` {found[name]['commit']}" if name in found else f"`{name}`"


def table(every, found):
    head = (*runner.HEAD, "measured by")
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in every:
        row = [*runner.cells(line), measured_by(line["bench"], found)]
        if line["met"] is False:
            row[-2] = f"**{row[-2]}**"
        text.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return text


BASELINES = f"""\
## Baselines

What prototypes gave before there was Subflow, in the same emulation on such a machine, beside the medians of what
was measured again: other ways, and none of Subflow's figures. A baseline of one value is out of range where it is
more than {baselines.TOLERANCE:.0%} off. That is explained where what differs is known, and accounts for the median that was
measured; where it is not, what is known is said.
"""


def span(baseline):
    """The range, for people."""
    if math.isinf(baseline.high):
        return f">= {runner.number(baseline.low)}"
    return f"{runner.number(baseline.low)} to {runner.number(baseline.high)}"


def known_of(baseline, data):
    """What is known of a baseline; "" if it quotes what is not there."""
    try:
        quoted = baseline.quotable(data)
    except KeyError:
        return ""
    return baseline.known.format(**{name: runner.number(value) for name, value in quoted.items()})


def explanation(baseline, median, found):
    """What is known of it, and why it does not come out again."""
    if median is None:
        return (why_not(found, baseline.bench, baseline.words) if baseline.measured else baseline.why) or UNKNOWN
    known, verdict, why = known_of(baseline, found[baseline.bench]), baseline.verdict(median), baseline.why
    if verdict == baselines.AGAIN:
        return known
    if verdict == baselines.UNEXPLAINED and why:
        low, high = map(runner.number, baseline.explains)
        why = f"Only {low} to {high} would be explained: {why}"
    return " ".join(filter(None, [known, why])) or UNKNOWN


def again(found):
    """Baselines beside what was measured, and why they differ."""
    medians = [(baseline, baseline.median(found)) for baseline in baselines.BASELINES]
    said = collections.Counter(baseline.verdict(median) for baseline, median in medians)
    text = [BASELINES, "**" + "; ".join(f"{said[verdict]} {verdict}" for verdict in baselines.VERDICTS) + ".**", "",
            "| row | what | measured | range |  | measured by |", "|---|---|---|---|---|---|"]
    reasons = []
    for baseline, median in medians:
        verdict = baseline.verdict(median)
        is_open = verdict == baselines.UNEXPLAINED
        text.append(f"| {baseline.row} | {baseline.what} | {runner.number(median)} | {span(baseline)} |"
                    f" {f'**{verdict}**' if is_open else verdict} |"
                    f" {measured_by(baseline.bench, found) if verdict != baselines.UNMEASURED else '-'} |")
        if words := " ".join(filter(None, [explanation(baseline, median, found), baseline.note])):
            reasons.append(f"- **Row {baseline.row}, {baseline.what}** ({verdict}). {words}")
    return [*text, "", *reasons, ""]


def thrown_away(data):
    """The reasons, each with how many runs, or ""."""
    reasons = collections.Counter((d["variant"], d["reason"].splitlines()[0]) for d in data["discarded"])
    return "".join(f"\n- thrown away: {number} of {variant}, because {reason}"
                   for (variant, reason), number in reasons.items())


def about(name):
    """What a command says of itself."""
    return ast.get_docstring(ast.parse((Path(__file__).with_name(name)).read_text()))


def names(words):
    return ", ".join(f"`{word}`" for word in sorted(words))


def differences(name, data):
    """How what is kept differs from what the command leaves today: it was measured before the command, and what it
    says of itself, was changed."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            today = runner.load(name).figures(data["rounds"])
    except KeyError as key:
        return [f"its rounds have no {names(map(str, key.args))}"]
    except (TypeError, IndexError, ValueError):
        return ["its rounds are of another form"]
    ways = {key: set(values[1]) if isinstance(values, tuple) else set() for key, values in today.items()}
    old = {line["key"]: set(line["without"]) for line in data["figures"]}
    found = [("no figure", ways.keys() - old.keys()), ("a figure more", old.keys() - ways.keys())]
    for key in sorted(ways.keys() & old.keys()):
        found += [(f"beside `{key}` no", ways[key] - old[key]), (f"beside `{key}` also", old[key] - ways[key])]
    return [f"{what} {names(words)}" for what, words in found if words]


def why_not(found, name, words):
    """Why there is nothing in what a command left of what these words name: the figure's key, and what is beside it.
    "" where that is not known."""
    if name not in found:
        return f"There are no results of `bench/{name}`."
    data = found[name]
    other = [what for what in differences(name, data)
             if what.startswith("its rounds") or all(f"`{word}`" in what for word in words)]
    if other:
        return f"`bench/{name}` was measured before the command was changed: {'; '.join(other)}."
    less = [why for why in kept.doubts(data) if why.startswith("--")]
    return f"`bench/{name}` was not measured as by default: {', '.join(less)}." if less else ""


def unmeasured(every, found):
    """The goals that nothing is held against, and why."""
    missing = [line for line in every if line["met"] is None]
    if not missing:
        return []
    return ["## What is not measured, and why", "",
            *(f"- **Row {line['row']}, {line['what']}**. {why_not(found, line['bench'], [line['key']]) or UNKNOWN}"
              for line in missing), ""]


def section(name, data):
    day = time.strftime("%Y-%m-%d", time.gmtime(data["started"]))
    doubts = kept.doubts(data)
    text = [f"### bench/{name}", "", about(name), "",
            f"- {day}, commit {data['commit']}, kernel {data['kernel']}, {data['cpus']} CPUs,"
            f" {len(data['rounds'])} rounds in {data['seconds']} s, {len(data['discarded'])} runs thrown"
            " away" + thrown_away(data)]
    if doubts:
        text.append("- **does not count**: " + ", ".join(doubts))
    if other := differences(name, data):
        text.append("- **measured before the command was changed**: " + "; ".join(other))
    if data.get("said"):
        text += ["", "```", data["said"].rstrip(), "```"]
    return text + [""]


def quotable(line):
    """What a reason may quote of a line."""
    def spread(one):
        values = sorted(one["values"])
        return {"each": ", ".join(map(runner.number, values)), **{name: runner.number(value) for name, value in (
            ("median", one["median"]), ("worst", one["worst"]), ("low", values[0]), ("high", values[-1]))}}
    return {**spread(line), "without": {name: spread(theirs) for name, theirs in line["without"].items()}}


def reason(line, every):
    """Why a figure falls short. Of what was not measured nothing can be quoted, and so no reason is known."""
    others = {other["key"]: quotable(other) for other in every if other["bench"] == line["bench"] and other["values"]}
    try:
        return rows.LIMITS[line["bench"], line["key"]].format(**quotable(line), of=others)
    except KeyError:
        return UNKNOWN


def of_commits(found):
    """Of which commits the figures are: those of one page may be of several."""
    commands = collections.defaultdict(list)
    for name, data in found.items():
        commands[data["commit"]].append(name)
    every = "; ".join(f"those of {names(which)} of {commit}" for commit, which in sorted(commands.items()))
    return ("These figures are of the commit that each command was last run on, and not all of one; what was changed after"
            f" it is not in them: {every}." if len(commands) > 1 else
            f"All figures are of commit {data['commit']}; what was changed after it is not in them.")


def markdown(found):
    """docs/results.md: only what the JSON and the commands themselves say, so that anybody can make it."""
    every = lines(found)
    text = [INTRODUCTION, *([of_commits(found), ""] if found else []), f"**{tally(every)}.**", "",
            *table(every, found), "", *gated(), "## What falls short, and why", ""]
    for line in every:
        if line["met"] is False:
            text.append(f"- **Row {line['row']}, {line['what']}** ({runner.number(line['median'])},"
                        f" worst {runner.number(line['worst'])}; the goal is {runner.goal(line)})."
                        f" {reason(line, every)}")
    text += ["", *unmeasured(every, found), *again(found), "## What these figures do not show", "", rows.SCOPE, "", "## How they were measured", ""]
    for name, data in found.items():
        text += section(name, data)
    missing = sorted({f.bench for f in rows.FIGURES} - set(found))
    if missing:
        text += ["No results of: " + ", ".join(f"`{name}`" for name in missing) + ".", ""]
    return "\n".join(text).rstrip() + "\n"
