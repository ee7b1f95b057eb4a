# SPDX-License-Identifier: MIT
"""Traffic over a fabric by the lab's own generator, one process a host."""
import json
import os
import time

from lab.netns import LabError, wait_until

PORT = 7000
# From the order to go to the first flow: all hosts have read their orders by then.
LEAD_S = 0.2


class Traffic:
    """Flows among the hosts of a fabric; for `with`."""

    def __init__(self, lab, build, protocol, sample_ms=0, family="ip4", tells_tokens=False,
                 options=()):
        self.lab = lab
        self.family = family
        self._program = build / "lab" / "traffic"
        if not self._program.exists():
            raise LabError(f"{self._program} does not exist: run make first")
        self._options = (["--mptcp"] if protocol == "mptcp" else [])
        self._options += ["--sample", sample_ms] if sample_ms else []
        self._options += ["--tokens"] if tells_tokens else []
        self._options += options
        self._hosts = []

    def __enter__(self):
        for label in self.lab.topology.hosts:
            node = self.lab.nodes[label]
            output = (self.lab.directory / f"traffic-{label}").open("w+b")
            process = node.popen([self._program, *self._options, PORT], stdin=-1, stdout=output,
                                 stderr=output, text=True)
            self._hosts.append((node, process, output))
        wait_until(lambda: all(self._read(output) for _, _, output in self._hosts),
                   "the traffic generators listen")
        return self

    def __exit__(self, *_):
        for _, process, output in self._hosts:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
            output.close()

    @staticmethod
    def _read(output):
        # The generator writes where its descriptor stands, which is ours as well: it is not moved.
        text = b""
        while chunk := os.pread(output.fileno(), 1 << 20, len(text)):
            text += chunk
        return text.decode()

    def go(self, flows):
        """Starts the flows; their ids are their places in the list. Returns the origin, ns."""
        orders = [[] for _ in self._hosts]
        for number, flow in enumerate(flows):
            address = getattr(self.lab.host(flow.target), self.family)
            orders[flow.source].append(f"flow {number} {round(flow.start_s * 1e9)} {flow.port}"
                                       f" {address} {PORT} {flow.bytes}{' tcp' if flow.is_plain else ''}\n")
        origin = time.monotonic_ns() + round(LEAD_S * 1e9)
        for (_, process, _), lines in zip(self._hosts, orders):
            process.stdin.write("".join(lines) + f"go {origin}\n")
            process.stdin.flush()
        return origin

    def records(self):
        """What the generators have told so far, of all hosts."""
        found = []
        for node, process, output in self._hosts:
            lines = self._read(output).splitlines()
            if process.poll():
                raise LabError(f"the traffic generator of {node.label} ended: {lines[-1]}")
            # The last line may be half written.
            found += [json.loads(line) for line in lines if line.endswith("}")]
        return found

    def end(self):
        """Ends all flows; returns everything that was told."""
        for _, process, _ in self._hosts:
            process.stdin.write("end\n")
            process.stdin.flush()
        for node, process, _ in self._hosts:
            wait_until(lambda: process.poll() is not None,
                       f"the traffic generator of {node.label} ends")
        return self.records()
