#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the figures of subflowd for Prometheus, as node_exporter's textfile collector reads them.

Any user may run it. docs/control.md says what each counter and each table is.
"""
import json
import os
import socket
from typing import Any, Dict, Iterable, Tuple

PATH = os.environ.get("SUBFLOW_SOCKET") or "/run/subflow/control"
TIMEOUT_S = 5
GAUGES = ("wire_flows", "recording_lost")    # all others only grow

Samples = Iterable[Tuple[Dict[str, str], Any]]


def ask() -> Dict[str, Any]:
    """The answer of the daemon to `status`; empty where there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT_S)
            client.connect(PATH)
            client.sendall(b"status\n")
            answer = json.loads(b"".join(iter(lambda: client.recv(1 << 16), b"")))
    except (OSError, ValueError):
        return {}
    return answer if "daemon" in answer else {}


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r'\"').replace("\n", r"\n")


def put(name: str, samples: Samples) -> None:
    for labels, value in samples:
        inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
        print(f"subflow_{name}{{{inside}}} {value}" if inside else f"subflow_{name} {value}")


def family(name: str, kind: str, samples: Samples) -> None:
    print(f"# TYPE subflow_{name} {kind}")
    put(name, samples)


def histogram(name: str, taken: Dict[str, Any]) -> None:
    """Its buckets hold what lies above the one before, in microseconds; here they add up."""
    print(f"# TYPE subflow_{name} histogram")
    count = 0
    for bucket in taken["buckets"]:
        count += bucket["count"]
        bound = "+Inf" if bucket["le"] is None else f"{bucket['le'] / 1e6:g}"
        put(f"{name}_bucket", [({"le": bound}, count)])
    put(f"{name}_sum", [({}, taken["sum"] / 1e6)])
    put(f"{name}_count", [({}, taken["count"])])


def main() -> None:
    answer = ask()
    family("up", "gauge", [({}, int(bool(answer)))])
    if not answer:
        return
    daemon, namespaces = answer["daemon"], answer["namespaces"]
    family("info", "gauge", [({"version": daemon["version"], "source": daemon["source"]}, 1)])
    family("uptime_seconds", "gauge", [({}, daemon["uptime_s"])])
    family("memory_bytes", "gauge", [({}, daemon["memory"]["connections"])])
    family("namespaces", "gauge",
           [({"state": state}, sum(one["state"] == state for one in namespaces))
            for state in ("served", "left alone", "vanished")])
    family("connections", "gauge", [({}, sum(one["connections"] for one in namespaces))])
    for what, kind, suffix in (("used", "gauge", ""), ("limit", "gauge", ""),
                               ("refused", "counter", "_total")):
        family(f"table_{what}{suffix}", kind,
               [({"table": name}, table[what]) for name, table in daemon["tables"].items()])
    for name, value in daemon["counters"].items():
        is_gauge = name in GAUGES
        family(name if is_gauge else f"{name}_total", "gauge" if is_gauge else "counter",
               [({}, value)])
    histogram("create_seconds", daemon["create_us"])


if __name__ == "__main__":
    main()
