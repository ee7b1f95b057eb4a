# SPDX-License-Identifier: MIT
"""Namespaces that are deleted in the middle of whatever the daemon does with them."""
import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from app import ADD
from conftest import ROUNDS
from lab.netns import PATIENCE, wait_until

# In each: how long a namespace lives beyond its first connection, in milliseconds.
LIVES = (0, 1, 5, 20, 50, 100, 200, 500)
# A slow daemon may miss all that such a life has to offer: then they live so many times longer.
LONGER = (1, 3, 9)

# Makes namespaces, three at a time, that hang on a hub as the client does; in each of them connections
# that ask for subflows. Then namespace and connections go, in either order.
CHURN = r"""
import ctypes, os, random, socket, struct, subprocess, sys, threading, time
prefix, hub, target = sys.argv[1:4]
rounds, lives, patience = int(sys.argv[4]), eval(sys.argv[5]), float(sys.argv[6])
libc = ctypes.CDLL(None, use_errno=True)

def ip(*words):
    subprocess.run(["ip", *words], check=True)

def enter(name):
    fd = os.open("/run/netns/" + name, os.O_RDONLY)
    if libc.setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), name)
    os.close(fd)

def connect(opened, count, round):
    deadline = time.monotonic() + patience
    while round % 3 and time.monotonic() < deadline:
        if open("/proc/sys/net/mptcp/pm_type").read() == "1\n":
            break
        time.sleep(.002)
    # What the kernel still has to close keeps a namespace alive: no minute of it, where it can be told.
    if os.path.exists("/proc/sys/net/mptcp/close_timeout"):
        open("/proc/sys/net/mptcp/close_timeout", "w").write("3")
    for _ in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.settimeout(10 * patience)
        opened.append(s)
        s.connect((target, 7000))
        s.send(b"x")
        try:
            s.setsockopt(6, 10003, 2)
        except OSError:
            pass  # it is not served yet

def live(worker, draw):
    name = f"{prefix}w{worker}"
    for round in range(worker * rounds, worker * rounds + rounds):
        device, opened = f"w{round}", []
        ip("netns", "add", name)
        if draw.random() < .2:
            ip("netns", "delete", name)
            continue
        ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", device, "netns", hub)
        ip("-n", hub, "addr", "add", f"10.77.{round}.2/24", "dev", device)
        ip("-n", hub, "link", "set", device, "up")
        ip("-n", name, "addr", "add", f"10.77.{round}.1/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "route", "add", "default", "via", f"10.77.{round}.2")
        inside = threading.Thread(target=lambda: (enter(name), connect(opened, draw.randrange(1, 5), round)))
        inside.start()
        inside.join()
        time.sleep(draw.choice(lives) / 1000)
        ends = [lambda: ip("netns", "delete", name), lambda: [s.close() for s in opened]]
        draw.shuffle(ends)
        ends[0]()
        time.sleep(draw.choice(lives) / 1000)
        ends[1]()

workers = [threading.Thread(target=live, args=(i, random.Random(i))) for i in range(3)]
[w.start() for w in workers]
[w.join() for w in workers]
"""


@pytest.fixture(name="hub")
def fixture_hub(pair):
    """Between those that vanish and the server. It answers no probe: surveys last."""
    hub = pair.netns("hub")
    hub.sysctl({"net.ipv4.ip_forward": 1, "net.ipv4.icmp_ratelimit": 1000000,
                "net.ipv4.icmp_ratemask": 1 << 11})
    _, end = pair.veth(pair.server, hub)
    pair.server.ip(f"route add 10.77.0.0/16 via {end.ip4}")
    return hub


def descriptors(daemon):
    of_daemon, kinds = Path(f"/proc/{daemon.process.pid}/fd"), []
    for fd in os.listdir(of_daemon):
        # It may be closed by now.
        with contextlib.suppress(FileNotFoundError):
            kinds.append(os.readlink(of_daemon / fd).split(":")[0])
    return sorted(kinds)


def memory_of(daemon):
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * 4096


def churn(pair, hub, longer):
    lives, patience = [longer * life for life in LIVES], longer * PATIENCE
    script = pair.popen(["/usr/bin/python3", "-c", CHURN, pair.prefix, hub.name,
                         pair.links[-1][0].ip4, ROUNDS, repr(lives), patience], stderr=subprocess.PIPE,
                        text=True)
    _, error = script.communicate(timeout=240 * PATIENCE)
    assert script.returncode == 0 and not error, error


def delay(daemon, call):
    """Each of these system calls of the daemon takes 2 ms more: so much can happen meanwhile."""
    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                               f"inject={call}:delay_exit=2000", "-p", str(daemon.process.pid)])
    status = Path(f"/proc/{daemon.process.pid}/status")
    wait_until(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text(), "strace is attached")
    return tracer


@pytest.mark.parametrize("mode, slow", [("paths", None), ("kernel", None), ("paths", "sendto"),
                                        ("kernel", "sendto"), ("kernel", "setns")])
def test_namespaces_that_vanish_at_any_moment(pair, hub, mode, slow):
    """Found, entered, given a sysctl and a number, listed, surveyed, asked for owners, commanded."""
    if slow and not shutil.which("strace"):
        pytest.skip("no strace")
    names = f"{pair.client.name} {pair.server.name}"
    daemon = pair.serve({"namespaces": {"serve": f"{names} {pair.prefix}w*"},
                         "policy": {"ndiffports": 3},
                         "placement": {"mode": mode},
                         "rule mine": {"uid": "nobody", "start": "1MB"}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.wait_subflows(3)
    before, memory = descriptors(daemon), memory_of(daemon)
    tracer = delay(daemon, slow) if slow else None

    def reached():
        counters = daemon.status()["daemon"]["counters"]
        return counters["surveys"] if mode == "paths" else counters["creates"] > 2

    for longer in LONGER:
        churn(pair, hub, longer)
        if reached():
            break
    if tracer:
        tracer.terminate()
        tracer.wait(10 * PATIENCE)

    def lives():
        return {entry["name"]: entry["state"] for entry in daemon.status().get("namespaces", [])}

    wait_until(lambda: set(lives()) == set(names.split()),
               lambda: f"only those that live are listed, and not {lives()}", 90)
    assert {c["namespace"] for c in daemon.status()["connections"]} <= set(names.split())
    wait_until(lambda: descriptors(daemon) == before,
               lambda: f"what was open before: {before}, and not {descriptors(daemon)}")
    assert memory_of(daemon) - memory < 8 << 20
    assert reached()
    app.set(ADD, 1)
    app.wait_subflows(4)
    assert "cannot restore" not in daemon.log.read_text()


def test_no_survey_goes_on_in_one_that_has_lost_its_name(pair, hub):
    """Silent routers are waited for, and a socket in it would keep it for so long."""
    home = pair.netns("home")
    near, gateway = pair.veth(home, hub)
    server, way_back = next(ends for ends in pair.links if ends[1].node is hub)
    home.ip(f"route add default via {gateway.ip4}")
    pair.server.ip(f"route add {near.ip4}/32 via {way_back.ip4}")
    daemon = pair.serve(serve=[home])
    sink = pair.sink()
    app = pair.app(home).connect(server.ip4)

    def sockets():
        """That probes are sent by, and answers heard."""
        return Path(f"/proc/{app.process.pid}/net/raw").read_text().splitlines()[1:]

    def shown():
        return {entry["name"]: entry["state"] for entry in daemon.status().get("namespaces", [])}

    app.set(ADD, 1)
    wait_until(sockets, "a survey goes on")
    pair.run(["ip", "netns", "delete", home.name])
    wait_until(lambda: shown()[home.name] == "vanished", "it is noticed")
    assert sockets() == []
    sink.stop()  # first: a socket that waits for the peer's FIN keeps its namespace for a minute
    app.stop()
    wait_until(lambda: home.name not in shown(), "it is forgotten")
    del pair.nodes["home"]


def test_a_socket_that_has_left_a_namespace_without_a_name(pair):
    """It was passed to another one: it lives on, and nobody can enter where it was made."""
    home = pair.netns("home")
    _, far = pair.veth(home, pair.server)
    daemon = pair.serve(serve=[home])
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
    sink = pair.sink()
    app, other = pair.app(home).connect(far.ip4), pair.app(pair.client, uid=0)
    path = str(pair.directory / "passed")
    other(f"u = socket.socket(socket.AF_UNIX); u.bind({path!r}); u.listen()")
    os.chmod(path, 0o777)
    app(f"u = socket.socket(socket.AF_UNIX); u.connect({path!r}); socket.send_fds(u, [b'x'], [s.fileno()])")
    other("s = socket.socket(fileno=socket.recv_fds(u.accept()[0], 1, 1)[1][0])")
    app.stop()
    other.set(ADD, 1)
    other.wait_subflows(2)
    pair.run(["ip", "netns", "delete", home.name])
    del pair.nodes["home"]

    def shown():
        return [c for c in daemon.status()["connections"] if c["token"] == other.connid()][0]

    wait_until(lambda: shown()["state"] == "out of reach", "it is noticed")
    assert (shown()["namespace"], shown()["bytes_sent"], len(shown()["subflows"])) == (home.name, None, 2)
    other.set(ADD, 1)
    wait_until(lambda: "has no name to enter it by" in shown()["decision"], "it is told why")
    told = subprocess.run([daemon.cli, "explain", f"{other.connid():x}"], env=daemon.environment,
                          capture_output=True, text=True, check=True).stdout
    assert "Its network namespace has no name to enter it by: nothing can be done for it there.\n" in told
    assert len(other.subflows()) == 2
    sink.stop()  # first, as above
    other.stop()
    wait_until(lambda: home.name not in [n["name"] for n in daemon.status()["namespaces"]], "it is forgotten")
