# SPDX-License-Identifier: MIT
"""The demo: an unmodified iperf3 becomes an elephant, and one daemon spreads it over a fabric."""
import argparse
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path

from lab import fabric, machine, measure
from lab.daemon import Daemon
from lab.netns import LabError, wait_until

SPINES = 4
RATE_MBIT = 100
BYTES = 400_000_000
# The defaults of the rule; all of these shrink together where the machine is too slow for them.
START, STEP, STOP = 100_000_000, 50_000_000, 300_000_000
SUBFLOWS = 4
PORT = 5201
SAMPLE_S = 0.1
DEADLINE_S = 120.0
# Of the ideal, in which every path carries as much as the one before the split.
GOAL = 0.85
# A path is used when it carries this part of its rate: less is acknowledgements and handshakes.
PATH_SHARE = 0.05
IDLE_MIN = 0.15


def find_elephant(status, node):
    """The connection of this namespace that sends the data; iperf3 has another one for control."""
    ours = [c for c in status.get("connections", [])
            if c["namespace"] == node.name and c["role"] == "client"]
    # Before Linux 6.5 nobody counts bytes; the control connection crosses no threshold.
    return max(ours, key=lambda c: (c["bytes_sent"] or 0, len(c["thresholds"])), default=None)


def print_line(seconds, megabytes, subflows, mbps):
    cells = "".join(f"{value:9.1f}" for value in mbps)
    print(f"{seconds:4.0f} {megabytes:9.1f} {subflows:9d} {cells} {sum(mbps):9.1f}", flush=True)


def watch(client, daemon, recorder):
    """Shows the transfer until the client ends."""
    paths = recorder.fabric.uplinks(recorder.source)
    print(f"{'s':>4} {'MB sent':>9} {'subflows':>9} " + "".join(f"{path:>9}" for path in paths)
          + f" {'total':>9}   Mbit/s", flush=True)
    first = shown = recorder.take()
    while client.poll() is None:
        if time.monotonic() - first.time_s > DEADLINE_S:
            raise LabError(f"iperf3 did not end within {DEADLINE_S:.0f} s")
        daemon.check()
        time.sleep(SAMPLE_S)
        now = recorder.take()
        if now.time_s - shown.time_s < 1:
            continue
        sent = recorder.connection and recorder.connection["bytes_sent"]
        if sent is None:  # before Linux 6.5 only the routers count
            sent = sum(now.sent) - sum(first.sent)
        print_line(now.time_s - first.time_s, sent / 1e6, now.live, measure.rates(shown, now))
        shown = now
    recorder.take()


def send(lab, daemon, size, output):
    """One iperf3 transfer from host 0 to host 1: its Recorder."""
    source, target = lab.host(0), lab.host(1)
    with output.open("wb") as file:
        daemon.run(target, ["iperf3", "-s"], stdout=file, stderr=file)
        wait_until(lambda: target.is_listening(PORT), "iperf3 -s listens")
        recorder = measure.Recorder(lab, source, lambda: find_elephant(daemon.ask(), source))
        client = daemon.run(source, ["iperf3", "-c", target.ip4, "-n", str(size)],
                            stdout=file, stderr=file)
        watch(client, daemon, recorder)
    if client.returncode:
        raise LabError(f"iperf3 ended with {client.returncode}:\n{output.read_text()[-800:]}")
    if not recorder.connection:
        raise LabError("subflowd saw no connection: iperf3 did not speak MPTCP")
    if (splits := measure.splits_of(recorder.connection)) != SUBFLOWS - 1:
        raise LabError(f"split {splits} times and not {SUBFLOWS - 1};"
                       f" status: {recorder.connection}")
    return recorder


def evaluate(lab, rate_mbit, recorder, counters):
    """The summary as written to summary.json."""
    samples, elephant = recorder.samples, recorder.fullest
    before, after = measure.windows(samples)
    before_mbps, after_paths = sum(measure.rates(*before)), measure.rates(*after)
    source, target = lab.host(0), lab.host(1)
    ports = [int(s["local"].rsplit(":", 1)[1]) for s in elephant["subflows"]
             if s["state"] == "established"]
    return {
        "before_mbps": round(before_mbps, 1),
        "after_mbps": round(sum(after_paths), 1),
        "ratio": round(sum(after_paths) / before_mbps, 3),
        "subflows": measure.live_of(elephant),
        "repairs": counters["repairs"],
        "distinct_paths": sum(rate > PATH_SHARE * rate_mbit for rate in after_paths),
        "thresholds": [{"bytes": t["bytes"], "subflows": t["subflows"]}
                       for t in recorder.connection["thresholds"]],
        "after_paths_mbps": dict(zip(lab.uplinks(source), (round(r, 1) for r in after_paths))),
        "subflow_paths": [lab.path_of(source, target, port, PORT)[1] for port in ports],
        "before_s": round(before[1].time_s - before[0].time_s, 1),
        "after_s": round(after[1].time_s - after[0].time_s, 1),
        "cpu_idle": round(measure.cpu_idle(*after), 2),
        "probes": counters["probes"],
        "joins_rejected": target.netstat().get("MPTcpExtMPJoinRejected", 0),
        "congestion_control": lab.congestion_control,
        "kernel": platform.release(),
    }


def report(summary):
    """Prints the figures; the exit status is 0 when the goal is met."""
    goal = GOAL * SPINES
    print(f"\nbefore the first split {summary['before_mbps']:7.1f} Mbit/s"
          f"   (over {summary['before_s']} s)")
    print(f"after the last split   {summary['after_mbps']:7.1f} Mbit/s   (over {summary['after_s']}"
          f" s: {summary['subflows']} subflows on {summary['distinct_paths']} distinct paths)")
    if summary["repairs"]:
        print(f"  {summary['repairs']} subflows fell silent for a retransmission timeout and were"
              " replaced")
    for step in summary["thresholds"]:
        print(f"  subflow {step['subflows']} asked for at {step['bytes']:,} bytes")
    print("  by the ports chosen they take " + ", ".join(summary["subflow_paths"])
          + f": {summary['probes']} probes")
    if summary["cpu_idle"] < IDLE_MIN:
        print(f"  only {summary['cpu_idle']:.0%} of the CPU was idle: the figures mean little")
    is_met = summary["ratio"] >= goal
    print(f"after / before         {summary['ratio']:7.2f}   goal >= {goal:.2f}"
          f" ({GOAL} x {SPINES} paths): {'met' if is_met else 'NOT met'}")
    return 0 if is_met else 1


def demo(build, scale):
    machine.check(["iperf3"])
    size, rate_mbit = round(BYTES * scale), RATE_MBIT * scale
    out = build / "demo"
    out.mkdir(parents=True, exist_ok=True)
    for name in ("summary.json", "throughput.png", "throughput.svg"):
        (out / name).unlink(missing_ok=True)
    with fabric.leaf_spine(SPINES, rate_mbit=rate_mbit) as lab:
        hosts = [lab.host(0), lab.host(1)]
        rule = {"start": START, "step": STEP, "stop": STOP}
        config = {"namespaces": {"serve": " ".join(host.name for host in hosts)}}
        if scale != 1:
            config["elephant"] = {key: round(value * scale) for key, value in rule.items()}
        daemon = Daemon(lab, build, config)
        try:
            daemon.start(hosts)
            print(f"{size // 10**6} MB by iperf3 over {SPINES} spines of {rate_mbit:g} Mbit/s,"
                  f" one subflowd for both hosts", flush=True)
            recorder = send(lab, daemon, size, lab.directory / "iperf3.log")
            counters = daemon.status()["daemon"]["counters"]
        except LabError as error:
            raise LabError(f"{error}\nThe end of the daemon's log:\n{daemon.tail()}") from None
        summary = evaluate(lab, rate_mbit, recorder, counters)
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    from lab import plot  # late: matplotlib takes longer to load than the fabric to build
    title = (f"One iperf3 over {SPINES} spines: {summary['before_mbps']:.0f} to"
             f" {summary['after_mbps']:.0f} Mbit/s on {summary['distinct_paths']} paths")
    pictures = [out / "throughput.png", out / "throughput.svg"]
    plot.draw(measure.transfer(recorder.samples), list(summary["after_paths_mbps"]),
              summary["thresholds"], title, pictures)
    status = report(summary)
    print("plot: " + " and ".join(os.path.relpath(picture) for picture in pictures))
    return status


def main():
    parser = argparse.ArgumentParser(prog="lab.demo", description=__doc__)
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[1] / "build",
                        help="the build directory: programs from it, results into BUILD/demo")
    parser.add_argument("--scale", type=float, default=1,
                        help="of bytes, thresholds and rates, for slow machines; default 1")
    options = parser.parse_args()
    # Leave through the lab's exit; when killed outright, its reaper does the same work.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return demo(options.build.resolve(), options.scale)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; all that it made is removed", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
