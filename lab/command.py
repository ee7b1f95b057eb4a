# SPDX-License-Identifier: MIT
"""subflow-lab: fabrics in namespaces, experiments over them, the report of their results."""
import argparse
import contextlib
import math
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

from lab import campaign, draw, fabric, failures, keeper, machine, results, systems, troubles, workloads
from lab.netns import LabError


def make_fabric(options, seed):
    """The Fabric that the options describe."""
    if not fabric.GSO_MIN <= options.gso <= fabric.GSO_MAX:
        raise LabError(f"--gso is at least {fabric.GSO_MIN}, one packet, and at most {fabric.GSO_MAX}")
    return fabric.Fabric(fabric.topology_of(options), gso_max_size=options.gso, seed=seed,
                         polarised=options.polarised, congestion_control=options.control)


def about(options):
    shape = {"fat-tree": f"k={options.k}", "leaf-spine":
             f"{options.spines} spines, {options.leaves} leaves of {options.hosts}"}.get(
                 options.topology) or f"of {len(fabric.topology_of(options).hosts)} hosts"
    extra = "".join(f", {name} {rate}" for name, rate in options.asymmetry or ())
    if options.topology == "leaf-spine":
        extra = f", hosts {fabric.leaf_host_mbit(options) or 'without a rate'}" + extra
    return (f"{options.topology} {shape}, {options.rate} Mbit/s{extra}"
            + (", polarised" if options.polarised else ""))


def check_machine(options, programs=(), with_nftables=False):
    machine.check(programs, with_nftables)
    machine.check_control(options.control)
    rate = fabric.host_mbit(options)
    is_asked = options.topology == "leaf-spine" and options.host_rate
    machine.check_cpu(len(fabric.topology_of(options).hosts), rate,
                      *(("--host-rate", 1) if is_asked else ("--rate", rate / options.rate)))


def rate_pair(text):
    name, _, rate = text.rpartition("=")
    if not name or not rate.isdigit() or not int(rate):
        raise argparse.ArgumentTypeError(f"{text}: write NODE=MBIT or NODE:NODE=MBIT")
    return name, int(rate)


def rule(text):
    try:
        return systems.Rule.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write START/STEP/STOP in MB, as {systems.PAPER}"
                                         .removesuffix(" MB")) from None


def positive(text):
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1")
    return int(text)


def above_zero(text):
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: a number above zero")
    return number


def whole(text):
    return int(text) if text.isdigit() and not int(text) else positive(text)


def up(options):
    check_machine(options)
    note = keeper.up(lambda: make_fabric(options, options.seed), about(options))
    hosts = list(note["hosts"].items())
    (first, near), (last, far) = hosts[0], hosts[-1]
    print(f"{note['about']}: up; {len(hosts)} hosts, {first} is {near['ip4']}, {last} is {far['ip4']};"
          f" subflow-lab shell {first}")


def down(_):
    print(f"{keeper.down()}: removed")


def shell(options):
    keeper.shell(options.node, options.command)


@contextlib.contextmanager
def writes(path):
    """LabError where this file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise LabError(f"{path} cannot be written ({error.strerror}): take another -o") from None


def draw_topology(options):
    topology = fabric.topology_of(options)
    text = draw.dot(topology) if options.dot else draw.svg(topology, title=about(options))
    if options.output:
        with writes(options.output):
            options.output.write_text(text)
    else:
        sys.stdout.write(text)


def run(options):
    program = workloads.WORKLOADS[options.workload].program
    check_machine(options, program.needs if program else (), failures.takes_nftables(options.fail or ()))
    campaign.Campaign(options, fabric.topology_of(options), about(options),
                      lambda seed: make_fabric(options, seed)).run()


def report(options):
    from lab import report as writer  # late: matplotlib takes long to load
    found = results.read(options.results)
    if not results.runs(found):
        raise LabError(f"{options.results} has no results: subflow-lab run stride8")
    with writes(options.output):
        writer.write(found, options.output, options.bench)
    print(f"{len(results.runs(found))} runs: {options.output}")


def check_model(options):
    """The exit status: 1 where the emulation is not what the model says."""
    from lab import compared  # late: numpy takes long to load
    found = results.runs(results.read(options.check))
    busy = sum("busy" in result and compared.is_modelled(result) for result in found)
    left_out = f"{busy} runs that --busy kept are left out: subflow-lab run without it measures them again"
    if not (rows := compared.compare(found)):
        raise LabError(f"{options.check} has no permutations over fat-trees that count: " + (
            left_out if busy else "subflow-lab run permutation"))
    print(f"{'goodput / ceiling':20}{'runs':>5}{'emulated':>10}{'max-min':>9}{'apart':>8}{'allowed':>9}")
    for row in rows:
        k, system, count, emulated, predicted, allowed = row
        print(f"{f'k = {k}, {system}':20}{count:5}{emulated:10.3f}{predicted:9.3f}"
              f"{emulated - predicted:+8.3f}{allowed:9.3f}{'  differs' if compared.differs(row) else ''}")
    if busy:
        print(left_out)
    return int(any(map(compared.differs, rows)))


def model_mix():
    from lab import fluid  # late: numpy takes long to load
    print("elephants of the websearch mix at load .6, 16 hosts: how many times sooner they are done, by max-min:")
    print(f"{'':42}" + "".join(f"{name:>12}" for name in fluid.FABRICS))
    for lines in zip(*map(fluid.sooner, fluid.FABRICS.values())):
        print(f"{lines[0][0]:42}" + "".join(f"{ratio:12.3f}" for _, ratio in lines))


def model(options):
    if options.check:
        return check_model(options)
    if options.mix:
        return model_mix()
    from lab import model as theory  # late: numpy takes long to load
    for k in options.k or ():
        if k < 4 or k % 2:
            raise LabError(f"a fat-tree of k = {k} has nothing to choose: k is even, and 4 or more")
    sizes = options.k or list(theory.SIZES)
    print("goodput / that of a network without bottlenecks, random permutations, by max-min:")
    print(f"{'':42}" + "".join(f"{f'k = {k}':>9}" for k in sizes))
    for _, text, found in theory.table(tuple(sizes), options.seeds):
        print(f"{text:42}" + "".join(f"{found[k]:9.3f}" for k in sizes))
    print(f"every other flow split over 4 paths, k = 4: the others keep {theory.unsplit(4):.2f} of what they had")
    print("assumed: " + ";\n         ".join(theory.ASSUMPTIONS))


def list_all(_):
    ordinary = {name: w for name, w in workloads.WORKLOADS.items() if name not in troubles.TROUBLES}
    for title, things in (("workloads", ordinary), ("workloads with troubles", troubles.TROUBLES),
                          ("systems", systems.SYSTEMS)):
        print(title)
        for name, thing in things.items():
            print(f"  {name:14}{thing.about}")
    shapes = {"fat-tree": "--k K", "leaf-spine": "--spines S --leaves L --hosts H --host-rate MBIT"}
    print("topologies")
    for name in fabric.TOPOLOGIES:
        print(f"  {name:14}{shapes.get(name, '')}".rstrip())


def add_fabric(parser, is_positional):
    names = list(fabric.TOPOLOGIES)
    if is_positional:
        parser.add_argument("topology", choices=names)
    else:
        parser.add_argument("--topology", choices=names, default="fat-tree")
    parser.add_argument("--k", type=positive, default=4, help="of a fat-tree (%(default)s)")
    parser.add_argument("--spines", type=positive, default=4, help="of a leaf-spine (%(default)s)")
    parser.add_argument("--leaves", type=positive, default=4, help="of a leaf-spine (%(default)s)")
    parser.add_argument("--hosts", type=positive, default=4, help="of each leaf (%(default)s)")
    parser.add_argument("--rate", type=positive, default=50, metavar="MBIT",
                        help="of the links (%(default)s)")
    parser.add_argument("--host-rate", type=whole, metavar="MBIT", help="of the hosts' links of a leaf-spine,"
                        " 0: not shaped (what a leaf's uplinks carry, shared by its hosts)")
    parser.add_argument("--gso", type=positive, default=8192, metavar="BYTES",
                        help="largest packet that links carry (%(default)s)")
    parser.add_argument("--polarised", action="store_true", help="all routers hash alike")
    parser.add_argument("--control", default="reno", help="congestion control (%(default)s)")
    parser.add_argument("--asymmetry", action="append", type=rate_pair, metavar="NODE=MBIT",
                        help="other rate of the links of a router, or of NODE:NODE")


def parser():
    root = Path(__file__).resolve().parents[1]
    build = Path(os.environ.get("SUBFLOW_BUILD", root / "build")).resolve()
    top = argparse.ArgumentParser(prog="subflow-lab", description=__doc__)
    top.add_argument("--with", action="append", type=Path, metavar="FILE", dest="files",
                     help="Python that adds topologies, workloads, systems: docs/extending.md")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    verb = verbs.add_parser("up", help="make a fabric and leave it running")
    add_fabric(verb, True)
    verb.add_argument("--seed", type=int, default=1, help="of the routers' hashes (%(default)s)")
    verb.set_defaults(do=up)
    verbs.add_parser("down", help="remove it, also after it was killed").set_defaults(do=down)
    verb = verbs.add_parser("shell", help="a shell, or a command, in a node of it")
    verb.add_argument("node")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verb.set_defaults(do=shell)
    verb = verbs.add_parser("draw", help="a picture of a topology; needs no root")
    add_fabric(verb, True)
    verb.add_argument("--dot", action="store_true", help="Graphviz text and not SVG")
    verb.add_argument("-o", "--output", type=Path)
    verb.set_defaults(do=draw_topology)
    verb = verbs.add_parser("run", help="measure a workload over fabrics of its own")
    verb.add_argument("workload", choices=list(workloads.WORKLOADS), metavar="WORKLOAD",
                      help="what is sent: see subflow-lab list")
    add_fabric(verb, False)
    verb.add_argument("--system", action="append", choices=list(systems.SYSTEMS), metavar="SYSTEM",
                      help="who sends it: see subflow-lab list; may be repeated, all of them without")
    verb.add_argument("--seeds", type=positive, default=5, help="how many fabrics, and draws of flows (%(default)s)")
    verb.add_argument("--seconds", type=above_zero, default=5.0,
                      help="measured, or over which a mix arrives (%(default)s)")
    verb.add_argument("--load", type=above_zero, default=.6, help="of a mix (%(default)s)")
    verb.add_argument("--step", type=positive, default=8, help="i of stride(i) (%(default)s)")
    verb.add_argument("--size", type=above_zero, default=20, metavar="MB",
                      help="of a transfer, or a program's (%(default)s)")
    verb.add_argument("--family", choices=("ip4", "ip6"), default="ip4", help="(%(default)s)")
    verb.add_argument("--rule", type=rule, default=systems.SCALED, metavar="START/STEP/STOP",
                      help=f"elephants, in MB (%(default)s; the paper's are {systems.PAPER})")
    verb.add_argument("--busy", action="store_true", help="keep runs that missed no gates but those"
                      " of the CPU and the ceiling; the report says so")
    verb.add_argument("--fail", action="append", metavar="SECONDS:WHAT[:NODE[:NODE]]",
                      help="what breaks or works again: " + ", ".join(failures.LABELS))
    verb.set_defaults(do=run, parser=verb)
    verb.add_argument("--build", type=Path, default=build, help=argparse.SUPPRESS)
    verb.add_argument("--results", type=Path, default=build / "lab" / "results.jsonl", metavar="FILE",
                      help="JSON lines; what is there is not measured again (%(default)s)")
    verb = verbs.add_parser("report", help="one HTML page of all results")
    verb.add_argument("--results", type=Path, default=build / "lab" / "results.jsonl", metavar="FILE",
                      help="what `run` has kept (%(default)s)")
    verb.add_argument("--bench", type=Path, default=root / "bench" / "results",
                      help="directory of the benchmarks' JSON")
    verb.add_argument("-o", "--output", type=Path, default=build / "lab" / "report.html", help="(%(default)s)")
    verb.set_defaults(do=report)
    verb = verbs.add_parser("model", help="fat-trees that no machine can emulate; needs no root")
    verb.add_argument("--k", action="append", type=positive, help="may be repeated; 4, 8, 16, 48 without")
    verb.add_argument("--seeds", type=positive, default=5, help="how many (%(default)s)")
    verb.add_argument("--check", type=Path, metavar="RESULTS",
                      help="hold what was emulated against it; the exit status is 1 where they differ")
    verb.add_argument("--mix", action="store_true",
                      help="instead: flows of all sizes that come and go, as those of bench/mix")
    verb.set_defaults(do=model)
    verbs.add_parser("list", help="workloads, systems, topologies").set_defaults(do=list_all)
    return top


def load(path):
    """Runs a file of Python; LabError says in which of its lines it fails."""
    try:
        runpy.run_path(str(path))
    except SyntaxError as error:
        raise LabError(f"--with {path}: line {error.lineno}: {error.msg}") from None
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        raise LabError(f"--with {path}: line {lines[-1] if lines else 1}:"
                       f" {type(error).__name__}: {error}") from None


def parse(words=None):
    """The command line; what a workload wants by itself counts where nothing else is said."""
    first = argparse.ArgumentParser(prog="subflow-lab", add_help=False)
    first.add_argument("--with", action="append", type=Path, default=[])
    for path in vars(first.parse_known_args(words)[0])["with"]:
        if not path.is_file():
            raise LabError(f"--with {path}: there is no such file")
        load(path)
    top = parser()
    options = top.parse_args(words)
    if options.verb == "run" and workloads.WORKLOADS[options.workload].options:
        options.parser.set_defaults(**workloads.WORKLOADS[options.workload].options)
        options = top.parse_args(words)
    return options


def main():
    # Leave through the lab's exit; when killed outright, its reaper does the same work.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        options = parse()
    except LabError as error:
        print(f"subflow-lab: {error}", file=sys.stderr)
        return 1
    try:
        status = options.do(options) or 0
        sys.stdout.flush()
        return status
    except LabError as error:
        print(f"subflow-lab: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"subflow-lab: Python has no {error.name}: make deps", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as by `| head`: whoever read it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        kept = ("what was measured is kept, the same command goes on" if options.verb == "run"
                else "nothing is left of it")
        print(f"subflow-lab: interrupted; {kept}", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
