# SPDX-License-Identifier: MIT
"""What every benchmark shares: rounds in turn, gates, medians and worst cases, one table.

A benchmark is a script that calls main() with its variants. Every figure is made of things that
were measured side by side: one round runs each variant once, and the order is another one from round to
round. A variant that misses a gate raises Discard; it is tried again, and said so.

    def bare(number): return {"rate": ...}
    def hooks(number): return {"rate": ...}
    def figures(rounds): return {"requests": [r["hooks"]["rate"] / r["bare"]["rate"] for r in rounds]}
    runner.main("tax", __doc__, lambda options: {"bare": bare, "hooks": hooks}, figures)
"""
import argparse
import contextlib
import dataclasses
import importlib.machinery
import importlib.util
import io
import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BUILD = Path(os.environ.get("SUBFLOW_BUILD", ROOT / "build")).resolve()

from lab import experiment, systems  # noqa: E402: the path comes first
from lab.command import positive  # noqa: E402
from lab.gates import IDLE_MIN, missed_cpu_only  # noqa: E402
from lab.measure import cpu_ticks  # noqa: E402
from lab.netns import LabError  # noqa: E402
import kept  # noqa: E402
import rows  # noqa: E402

ATTEMPTS = 3
EXTRA = 2
# How long to look for others who use the machine, and how much of it they may.
LOOK_S, OTHERS_MAX = .5, .1
TICKS_A_S = os.sysconf("SC_CLK_TCK")
WINDOW_S, QUICK_S = 8, 3


class Discard(Exception):
    """A gate was missed: what was measured does not count. The message says which gate."""


def check(options, result):
    """Discards a run that missed a gate. --busy lets one pass that missed only the CPU's."""
    if result["discarded"] and not (options.busy and missed_cpu_only(result)):
        raise Discard(result["discarded"])
    if result["discarded"]:
        say(f"  does not count: {result['discarded']}")
        options.was_busy = True


@contextlib.contextmanager
def idle_machine(options):
    """Discards a run during which others, or the run itself, used nearly all of the CPU."""
    idle_before, ticks_before = cpu_ticks()
    yield
    idle, ticks = cpu_ticks()
    part = (idle - idle_before) / max(1, ticks - ticks_before)
    check(options, {"cpu_idle": part, "discarded": "" if part >= IDLE_MIN else
                    f"only {part:.0%} of the CPU was idle"})


def idle_of(seconds):
    """The part of the CPU that is idle while we do nothing."""
    idle_before, ticks_before = cpu_ticks()
    time.sleep(seconds)
    idle, ticks = cpu_ticks()
    return (idle - idle_before) / max(1, ticks - ticks_before)


@contextlib.contextmanager
def quiet_machine(options, own_s):
    """Discards a run that others disturb, of one that may use all of the CPU itself. own_s(): the seconds of CPU
    that it has used itself so far."""
    parts = [1 - idle_of(LOOK_S)]
    own_before_s, (idle_before, ticks_before) = own_s(), cpu_ticks()
    yield
    (idle, ticks), own = cpu_ticks(), (own_s() - own_before_s) * TICKS_A_S
    parts.append((ticks - ticks_before - (idle - idle_before) - own) / max(1, ticks - ticks_before))
    parts.append(1 - idle_of(LOOK_S))
    check(options, {"cpu_idle": 0, "discarded": "" if max(parts) <= OTHERS_MAX else
                    f"others used {max(parts):.0%} of the CPU"})


def load(name):
    """bench/`name` as a module, for what it can read or make of rounds."""
    loader = importlib.machinery.SourceFileLoader(f"bench_{name}", str(Path(__file__).with_name(name)))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def add_scale(parser):
    parser.add_argument("--scale", type=float, default=1, metavar="PART", help=argparse.SUPPRESS)


def scenario(options):
    """Of flows that do not end. --scale: of all times and thresholds so much, which shows that it works and measures
    nothing."""
    def part(value):
        return value * options.scale

    return experiment.Scenario(settle_s=part(experiment.Scenario.settle_s),
                               window_s=part(QUICK_S if options.quick else WINDOW_S),
                               rule=systems.Rule(*(round(part(size)) for size in dataclasses.astuple(systems.SCALED))))


def key_on(fabric, key, first):
    """The key in rows.py of what is measured on several fabrics; on the first one it has no name of it."""
    return key if fabric == first else f"{key}-{fabric}"


def say(text):
    print(text, file=sys.stderr, flush=True)


def turned(names, number):
    """The names, each way once, and then the same beginning with the next: not always comes the same one first, or
    after the same one."""
    names = list(names)
    first = number // 2 % len(names)
    names = names[first:] + names[:first]
    return names[::-1] if number % 2 else names


def play(variants, count, data, keep):
    """Adds {variant: what it returned} of rounds in which every variant passed its gates.

    A round that is lost is made up for by a later one, EXTRA times. keep() is called after each.
    """
    last = count + EXTRA
    while len(data["rounds"]) < count and data["next"] < last:
        number, results = data["next"], {}
        for name in turned(variants, number):
            for _ in range(ATTEMPTS):
                say(f"round {len(data['rounds']) + 1} of {count}: {name}")
                try:
                    # As it will be read again.
                    results[name] = json.loads(json.dumps(variants[name](number)))
                    break
                except Discard as reason:
                    say(f"  thrown away: {reason}")
                    data["discarded"].append({"round": number, "variant": name, "reason": str(reason)})
            if name not in results:
                break
        if len(results) == len(variants):
            data["rounds"].append({name: results[name] for name in variants})
        data["next"] = number + 1
        data["incomplete"] = len(data["rounds"]) < count and data["next"] < last
        keep()


def spread_of(figure, values):
    return {"median": statistics.median(values), "worst": (max if figure.smaller else min)(values),
            "values": values}


def judge(figure, values, without=None):
    """A line of the table, as data. without: {name of another way: its values in the same rounds}."""
    line = spread_of(figure, values)
    met = figure.meets(line["median"], figure.goal)
    if figure.worst is not None:
        met = met and figure.meets(line["worst"], figure.worst)
    return {**blank(figure), **line, "met": met,
            "without": {name: spread_of(figure, theirs) for name, theirs in (without or {}).items()}}


def blank(figure):
    """The line of what is not measured."""
    return {"row": figure.row, "bench": figure.bench, "key": figure.key, "what": figure.what, "unit": figure.unit,
            "median": None, "worst": None, "values": [], "without": {}, "goal": figure.goal,
            "goal_worst": figure.worst, "smaller": figure.smaller, "known": figure.known,
            "limit": figure.limit, "met": None, "doubts": []}


def judge_all(name, figures, data):
    """(lines of what a command has measured, what figures() printed)."""
    known, lines, said = rows.of(name), [], io.StringIO()
    with contextlib.redirect_stdout(said):
        found = figures(data["rounds"]) if data["rounds"] else {}
    for key, values in found.items():
        line = judge(known[key], *(values if isinstance(values, tuple) else (values,)))
        lines.append({**line, "doubts": kept.doubts(data)})
    return lines, said.getvalue()


def number(value):
    """Three digits or so, for people; "-" where there is none."""
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e6 or abs(value) >= 1e4:
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


def goal(line):
    sign = "<=" if line["smaller"] else ">="
    worst = f", worst {sign} {number(line['goal_worst'])}" if line["goal_worst"] else ""
    return f"{sign} {number(line['goal'])}{worst}"


def without(line):
    return ", ".join(f"{name} {number(theirs['median'])} (worst {number(theirs['worst'])})"
                     for name, theirs in line["without"].items()) or "-"


def verdict(line):
    said = "not measured" if line["met"] is None else "met" if line["met"] else "falls short"
    return said + ("; does not count: " + ", ".join(line["doubts"]) if line["doubts"] else "")


HEAD = ("row", "figure", "median", "worst", "goal", "without", "known", "limit", "")


def cells(line):
    """Texts for the columns of HEAD."""
    what = line["what"] + (f", {line['unit']}" if line["unit"] else "")
    return (str(line["row"]), what, number(line["median"]), number(line["worst"]), goal(line),
            without(line), line["known"], line["limit"], verdict(line))


def print_table(table, head=HEAD, file=None):
    widths = [max(len(row[i]) for row in [head, *table]) for i in range(len(head))]
    for row in [head, *table]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip(), file=file)


def parse(name, description, rounds, quick_rounds, arguments):
    own = argparse.ArgumentParser(add_help=False)
    if arguments:
        arguments(own)
    parser = argparse.ArgumentParser(prog=f"bench/{name}", description=description, parents=[own],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help=f"{quick_rounds} rounds and not {rounds}: shows that it works, no more")
    parser.add_argument("--rounds", type=positive, metavar="N",
                        help=f"figures of fewer than {kept.ROUNDS_MIN} do not count")
    parser.add_argument("--busy", action="store_true",
                        help="go on where the machine is too busy; the figures then do not count")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="the same figures for machines; FILE.part until all rounds are done")
    parser.add_argument("--resume", action="store_true",
                        help="go on with the run that was interrupted, if FILE.part is there")
    options = parser.parse_args()
    options.own = {option: getattr(options, option) for option, default in vars(own.parse_args([])).items()
                   if getattr(options, option) != default}
    if options.quick and options.json and options.json.resolve().parent == kept.RESULTS:
        parser.error(f"what --quick shows is not kept in {kept.RESULTS}")
    if options.json and not os.access(options.json.resolve().parent, os.W_OK):
        parser.error(f"--json {options.json}: nothing can be written to {options.json.resolve().parent}")
    options.count = options.rounds or (quick_rounds if options.quick else rounds)
    options.was_busy = False
    return options


def show(options, data):
    print(data["said"], end="")
    print_table([cells(line) for line in data["figures"]])
    if data["busy"]:
        print("The machine was too busy: these figures do not count.")
    print(f"{len(data['rounds'])} of {options.count} rounds; {len(data['discarded'])} runs thrown away")


def main(name, description, variants, figures, rounds=7, quick_rounds=2, arguments=None):
    """Runs the benchmark of bench/`name`; returns for sys.exit().

    variants: called with the options, once; returns {variant: function of the round's number}. It
    may be a context manager (a generator made one by contextlib) that makes a lab for all rounds.
    figures: called with the rounds as JSON has them; prints what else is to be known, and returns {key
    of rows.py: [a value a round], or (these, {name of another way: [its value a round]})}.
    arguments: called with a parser, for options of its own: what is measured with any of them that is not
    as by default does not count.
    """
    options = parse(name, description, rounds, quick_rounds, arguments)
    status, data = 0, kept.begin(name, options.quick, options.own)
    try:
        if options.resume:
            data = kept.resume(options.json, data)
        options.was_busy, before_s, began_s = data["busy"], data["seconds"], time.monotonic()

        def keep():
            data["busy"] = options.was_busy
            data["seconds"] = before_s + round(time.monotonic() - began_s)
            data["figures"], data["said"] = judge_all(name, figures, data)
            kept.write(options.json, data)

        made = variants(options)
        with made if hasattr(made, "__enter__") else contextlib.nullcontext(made) as variants:
            play(variants, options.count, data, keep)
    except LabError as error:
        say(f"{name}: {error}")
        status = 1
    except KeyboardInterrupt:
        say(f"{name}: interrupted; all that it made is removed")
        status = 130
    if not data["rounds"]:
        if not status:
            say(f"{name}: no round passed its gates ({data['discarded'][-1]['reason']}): nothing was"
                " measured")
        return status or 1
    show(options, data)
    if options.json and not status and kept.part_of(options.json).exists():
        say(f"{name}: {options.json} counts, and stays as it was; these rounds, which do not, are in"
            f" {kept.part_of(options.json)}")
    if status and options.json:
        say(f"{name}: these rounds are in {kept.part_of(options.json)}; --resume goes on with the others")
    return status
