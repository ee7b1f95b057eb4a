# SPDX-License-Identifier: MIT
"""What every benchmark shares: rounds in turn, gates, medians and worst cases, one table.

A benchmark is a script that calls main() with its variants. Every figure is made of things that
were measured side by side: one round runs each variant once, and the order turns from round to
round. A variant that misses a gate raises Discard; it is tried again, and said so.

    def bare(number): return {"rate": ...}
    def hooks(number): return {"rate": ...}
    def figures(rounds): return {"requests": [r["hooks"]["rate"] / r["bare"]["rate"] for r in rounds]}
    runner.main("tax", __doc__, lambda options: {"bare": bare, "hooks": hooks}, figures)
"""
import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import rows

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BUILD = Path(os.environ.get("SUBFLOW_BUILD", ROOT / "build")).resolve()

from lab.experiment import IDLE_MIN, missed_cpu_only  # noqa: E402: the path comes first
from lab.measure import cpu_ticks  # noqa: E402
from lab.netns import LabError  # noqa: E402
from lab.results import commit  # noqa: E402

ATTEMPTS = 3


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


def say(text):
    print(text, file=sys.stderr, flush=True)


def turned(names, number):
    """The names, beginning with another one in each round."""
    names = list(names)
    return names[number % len(names):] + names[:number % len(names)]


def play(variants, count, discarded):
    """[{variant: what it returned}] of the rounds in which every variant passed its gates."""
    done = []
    for number in range(count):
        results = {}
        for name in turned(variants, number):
            for attempt in range(ATTEMPTS):
                say(f"round {number + 1} of {count}: {name}")
                try:
                    results[name] = variants[name](number)
                    break
                except Discard as reason:
                    say(f"  thrown away: {reason}")
                    discarded.append({"round": number, "variant": name, "reason": str(reason)})
        if len(results) == len(variants):
            done.append({name: results[name] for name in variants})
    return done


def judge(figure, values):
    """A line of the table, as data."""
    worst = (max if figure.smaller else min)(values)
    median = statistics.median(values)
    met = figure.meets(median, figure.goal)
    if figure.worst is not None:
        met = met and figure.meets(worst, figure.worst)
    return {"row": figure.row, "key": figure.key, "what": figure.what, "unit": figure.unit,
            "median": median, "worst": worst, "values": values, "goal": figure.goal,
            "goal_worst": figure.worst, "smaller": figure.smaller, "baseline": figure.baseline,
            "limit": figure.limit, "met": met}


def number(value):
    """Three digits or so, for people; "-" where there is none."""
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


def goal(line):
    sign = "<=" if line["smaller"] else ">="
    worst = f", worst {sign} {number(line['goal_worst'])}" if line["goal_worst"] else ""
    return f"{sign} {number(line['goal'])}{worst}"


HEAD = ("row", "figure", "median", "worst", "goal", "without", "limit", "")


def cells(line):
    """Texts for the columns of HEAD."""
    what = line["what"] + (f", {line['unit']}" if line["unit"] else "")
    verdict = "" if line["met"] else "not measured" if line["met"] is None else "falls short"
    return (str(line["row"]), what, number(line["median"]), number(line["worst"]), goal(line),
            line["baseline"], line["limit"], verdict)


def print_table(table, head=HEAD, file=None):
    widths = [max(len(row[i]) for row in [head, *table]) for i in range(len(head))]
    for row in [head, *table]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip(), file=file)


def main(name, description, variants, figures, rounds=7, quick_rounds=2, arguments=None):
    """Runs the benchmark of bench/`name`; returns for sys.exit().

    variants: called with the options, once; returns {variant: function of the round's number}. It
    may be a context manager (a generator made one by contextlib) that makes a lab for all rounds.
    figures: called with the rounds as play() returns them; returns {key of rows.py: [a value a
    round]}. arguments: called with the parser, for options of its own.
    """
    parser = argparse.ArgumentParser(prog=f"bench/{name}", description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help=f"{quick_rounds} rounds and not {rounds}: shows that it works, no more")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--busy", action="store_true",
                        help="go on where the machine is too busy; the figures then do not count")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same figures for machines")
    if arguments:
        arguments(parser)
    options = parser.parse_args()
    count = options.rounds or (quick_rounds if options.quick else rounds)
    options.was_busy = False
    started, discarded = time.time(), []
    try:
        made = variants(options)
        with made if hasattr(made, "__enter__") else contextlib.nullcontext(made) as variants:
            done = play(variants, count, discarded)
    except LabError as error:
        say(f"{name}: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"{name}: interrupted; all that it made is removed")
        return 130
    if not done:
        say(f"{name}: no round passed its gates ({discarded[-1]['reason']}): nothing was measured")
        return 1
    known = rows.of(name)
    lines = [judge(known[key], values) for key, values in figures(done).items()]
    print_table([cells(line) for line in lines])
    if options.was_busy:
        print("The machine was too busy: these figures do not count.")
    print(f"{len(done)} of {count} rounds; {len(discarded)} runs thrown away")
    if options.json:
        options.json.write_text(json.dumps({
            "bench": name, "quick": options.quick, "busy": options.was_busy, "commit": commit(),
            "kernel": platform.release(), "cpus": os.cpu_count(), "started": round(started),
            "seconds": round(time.time() - started), "figures": lines, "discarded": discarded,
            "rounds": done}, indent=1) + "\n")
    return 0
