# SPDX-License-Identifier: MIT
"""Real programs as workloads: unmodified ones, under `subflow run` at both ends.

A program is one small class: what the server is, what the client is, and which of the two sends.
"""
import os
import signal
import subprocess
import threading
import time

from lab.netns import LabError, wait_until

# A tree has files of many sizes: of this many parts of the whole, the largest first.
TREE = (4, 8, 8) + (16,) * 4 + (64,) * 12 + (256,) * 16
BLOCK = 1 << 20


def write(path, size):
    """A file of this size that does not compress."""
    block = os.urandom(min(BLOCK, size))
    with path.open("wb") as file:
        for at in range(0, size, BLOCK):
            file.write(block[:size - at])


class Program:
    """What the others share. `is_download`: the server sends, and the client receives. `has_control`:
    beside the connection that carries the data there is another one. `needs`: the commands."""
    name = about = ""
    port = 0
    is_download = has_control = False
    needs = ()
    version_command = ()

    def version(self):
        """The first line of what it says of itself."""
        told = subprocess.run(self.version_command, capture_output=True, text=True)
        return (told.stdout or told.stderr).partition("\n")[0].strip()

    def prepare(self, directory, size):
        """Makes what is sent, in an empty directory of both ends' disk."""

    def server(self, directory, label):
        """Its command on the host `label`; in the foreground, on `port` of both families."""
        raise NotImplementedError

    def client(self, directory, address, number, size):
        """The command that transfers `size` bytes as transfer `number`, and then ends with 0."""
        raise NotImplementedError


class Iperf3(Program):
    """One server takes one client at a time: no two flows to one host."""
    name = "iperf3"
    about = "iperf3"
    port = 5201
    has_control = True
    needs = ("iperf3",)
    version_command = ("iperf3", "--version")

    def server(self, directory, label):
        return ["iperf3", "-s", "-p", self.port]

    def client(self, directory, address, number, size):
        return ["iperf3", "-c", address, "-p", self.port, "-n", size]


class Rsync(Program):
    """A tree, to an rsync daemon."""
    name = "rsync"
    about = "rsync of a tree to an rsync daemon"
    port = 8730
    needs = ("rsync",)
    version_command = ("rsync", "--version")

    def prepare(self, directory, size):
        tree, rest = directory / "tree", size
        for i, part in enumerate(TREE):
            folder = tree / f"folder{i % 5}"
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / f"file{i}", size // part)
            rest -= size // part
        write(tree / "rest", max(0, rest))

    def server(self, directory, label):
        config = directory / f"rsyncd-{label}.conf"
        config.write_text("use chroot = no\nuid = root\ngid = root\nreverse lookup = no\n"
                          f"[copies]\npath = {directory}\nread only = no\n")
        return ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={self.port}"]

    def client(self, directory, address, number, size):
        host = f"[{address}]" if ":" in address else address
        return ["rsync", "-a", f"--port={self.port}", f"{directory}/tree/",
                f"rsync://{host}/copies/copy{number}/"]


class Curl(Program):
    """nginx serves files, and takes them by PUT."""
    port = 8080
    needs = ("curl", "nginx")
    version_command = ("curl", "--version")

    def version(self):
        nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr
        return f"{super().version()}; {nginx.strip()}"

    def prepare(self, directory, size):
        write(directory / "file", size)

    def server(self, directory, label):
        config = directory / f"nginx-{label}.conf"
        places = "".join(f"  {kind}_temp_path {directory}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config.write_text(
            "daemon off; master_process off; user root;\n"
            "error_log stderr; events { worker_connections 512; }\n"
            f"http {{\n{places}  access_log off; sendfile on; client_max_body_size 0;\n"
            f"  server {{ listen {self.port}; listen [::]:{self.port}; root {directory};\n"
            "    dav_methods PUT; }\n}\n")
        return ["nginx", "-c", config, "-e", "stderr", "-g", f"pid {directory}/nginx-{label}.pid;"]

    def url(self, address, path):
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self.port}/{path}"


class Upload(Curl):
    name = "curl-upload"
    about = "curl sends a file to nginx"

    def client(self, directory, address, number, size):
        return ["curl", "-sSf", "-T", directory / "file", self.url(address, f"upload{number}")]


class Download(Curl):
    name = "curl-download"
    about = "curl fetches a file from nginx"
    is_download = True

    def client(self, directory, address, number, size):
        return ["curl", "-sSf", "-o", directory / f"download{number}", self.url(address, "file")]


class Transfers:
    """Flows carried by a program; for `with`. As lab.traffic.Traffic, with sizes only.

    A flow's time is that of its client, from its start to its end.
    """
    serial = 0

    def __init__(self, lab, build, program, protocol, family="ip4"):
        Transfers.serial += 1
        self.lab = lab
        self.family = family
        self.program = program
        self.directory = lab.directory / f"{program.name}-{Transfers.serial}"
        cli = build / "cli" / "subflow"
        if not cli.exists():
            raise LabError(f"{cli} does not exist: run make first")
        self._run = [cli, "run", "--"] if protocol == "mptcp" else []
        self._servers, self._threads, self._records = [], [], []
        self._processes, self._stop = set(), threading.Event()

    def __enter__(self):
        self.directory.mkdir()
        try:
            self._serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _serve(self):
        for label in self.lab.topology.hosts:
            node, log = self.lab.nodes[label], self.directory / f"server-{label}.log"
            with log.open("wb") as output:
                process = node.popen(self._run + self.program.server(self.directory, label),
                                     stdout=output, stderr=output)
            self._servers.append((node, process, log))
        wait_until(self._are_listening, f"the servers of {self.program.name} listen")

    def _are_listening(self):
        for node, process, log in self._servers:
            if process.poll() is not None:
                raise LabError(f"{self.program.name} on {node.label} ended: {last_line(log)}")
        return all(node.is_listening(self.program.port) for node, _, _ in self._servers)

    def __exit__(self, *_):
        self._stop.set()
        for process in [process for _, process, _ in self._servers] + list(self._processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for thread in self._threads:
            thread.join()
        subprocess.run(["rm", "-rf", self.directory], check=True)

    def go(self, flows):
        """Starts the flows, all of one size; their ids are their places. Returns the origin, ns."""
        self.program.prepare(self.directory, flows[0].bytes)
        origin_ns = time.monotonic_ns()
        for number, flow in enumerate(flows):
            thread = threading.Thread(target=self._carry, args=(number, flow, origin_ns))
            self._threads.append(thread)
            thread.start()
        return origin_ns

    def _carry(self, number, flow, origin_ns):
        if self._stop.wait(max(0, flow.start_s - (time.monotonic_ns() - origin_ns) / 1e9)):
            return
        ends = [self.lab.host(flow.source), self.lab.host(flow.target)]
        client, server = ends[::-1] if self.program.is_download else ends
        log = self.directory / f"client{number}.log"
        command = self.program.client(self.directory, getattr(server, self.family), number, flow.bytes)
        start_ns = time.monotonic_ns()
        with log.open("wb") as output:
            process = client.popen(self._run + command, stdout=output, stderr=output)
        self._processes.add(process)
        if process.wait() and not self._stop.is_set():
            self._records.append({"failed": number, "error": last_line(log)})
        elif not self._stop.is_set():
            self._records.append({"flow": number, "bytes": flow.bytes, "start_ns": start_ns,
                                  "end_ns": time.monotonic_ns()})

    def records(self):
        """What has ended so far, one way or the other."""
        self._are_listening()
        return list(self._records)

    def end(self):
        return self.records()


def last_line(log):
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in lines[::-1] if line.strip()), "no word of why").strip()


PROGRAMS = (Iperf3(), Rsync(), Upload(), Download())
