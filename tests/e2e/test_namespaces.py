# SPDX-License-Identifier: MIT
"""One daemon and many network namespaces: which are served, and what is put back."""
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from app import ADD
from conftest import BUILD, guardians, wait_guardian_gone
from lab.daemon import Daemon
from lab.netns import wait_until
from names import Names
from test_orders import does

KERNEL_PM = 0
USERSPACE_PM = 1


def pm_type(node):
    return int(node.inside(lambda: open("/proc/sys/net/mptcp/pm_type").read()))


def namespaces(daemon):
    return {entry["name"]: entry for entry in daemon.status().get("namespaces", [])}


def start(pair, serve, **sections):
    """A daemon whose `serve` is taken as it is; returns when it answers."""
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": serve, **sections}})
    daemon.start()
    wait_until(daemon.status, "subflowd answers")
    return daemon


def test_only_named_namespaces_are_served(pair):
    daemon = start(pair, pair.client.name)
    wait_until(lambda: pair.client.name in namespaces(daemon), "the client is served")
    assert list(namespaces(daemon)) == [pair.client.name]
    assert pm_type(pair.client) == USERSPACE_PM
    assert pm_type(pair.server) == KERNEL_PM


def test_own_is_the_namespace_of_the_daemon(pair):
    """The default: nothing is said of namespaces, and the daemon serves where it runs."""
    daemon = Daemon(pair, BUILD, {})
    pair.client.popen([daemon.binary, "--config", pair.directory / "subflowd.conf"],
                      stdout=open(daemon.log, "ab"), stderr=open(daemon.log, "ab"))
    wait_until(daemon.status, "subflowd answers")
    assert namespaces(daemon)["own"]["state"] == "served"
    assert pm_type(pair.client) == USERSPACE_PM
    assert pm_type(pair.server) == KERNEL_PM
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)


def test_names_may_be_combined_with_own(pair):
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": f"own {pair.server.name}"}})
    pair.client.popen([daemon.binary, "--config", pair.directory / "subflowd.conf"],
                      stdout=open(daemon.log, "ab"), stderr=open(daemon.log, "ab"))
    wait_until(lambda: len(namespaces(daemon)) == 2, "both are served")
    assert set(namespaces(daemon)) == {"own", pair.server.name}


def test_a_pattern_serves_the_namespaces_that_it_matches(pair):
    daemon = start(pair, f"{pair.prefix}c*")
    wait_until(lambda: pair.client.name in namespaces(daemon), "the client is served")
    late = pair.netns("c2")
    wait_until(lambda: late.name in namespaces(daemon), "one that appears later is served")
    assert set(namespaces(daemon)) == {pair.client.name, late.name}
    assert pm_type(pair.server) == KERNEL_PM


def test_a_namespace_that_appears_later_is_served(pair):
    daemon = start(pair, f"{pair.prefix}late")
    assert namespaces(daemon) == {}
    late = pair.netns("late")
    wait_until(lambda: namespaces(daemon).get(late.name, {}).get("state") == "served", "served")
    assert pm_type(late) == USERSPACE_PM


def test_events_of_all_namespaces_arrive_and_are_told_apart(pair):
    """The same addresses in two pairs of namespaces; each connection is found in its own."""
    others = [pair.netns(name) for name in ("client2", "server2")]
    pair.run(["ip", "link", "add", "twin", "netns", others[0].name, "type", "veth",
              "peer", "name", "twin", "netns", others[1].name])
    for node, end in zip(others, (pair.near, pair.far)):
        node.ip("link set twin up", f"address add {end.ip4}/24 dev twin")
    daemon = pair.serve(serve=[pair.client, pair.server, *others])
    apps = []
    for client, server in ((pair.client, pair.server), others):
        pair.sink(server)
        apps.append(pair.app(client).connect(pair.far.ip4))
    for count, app in enumerate(apps, 1):
        app.set(ADD, count)
    for count, app in enumerate(apps, 1):
        app.wait_subflows(1 + count)
        connection = pair.connection(daemon, app)
        assert connection["namespace"] == app.node.name
        assert len(connection["subflows"]) == 1 + count


def test_a_deleted_namespace_and_its_devices_are_gone(pair):
    """Nothing that the daemon holds keeps it: the peer's end of the link goes with it."""
    daemon = pair.serve()
    sink = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    app.wait_subflows(3)
    sink.stop()  # first: a socket that waits for the peer's FIN keeps its namespace for a minute
    app.stop()
    pair.client.close()
    pair.run(["ip", "netns", "delete", pair.client.name])
    wait_until(lambda: pair.far.device not in pair.server.tx_bytes(),
               "the veth at the other end disappears with the namespace")
    wait_until(lambda: pair.client.name not in namespaces(daemon), "status forgets it")
    assert all(c["namespace"] != pair.client.name for c in daemon.status()["connections"])
    assert daemon.process.poll() is None
    del pair.nodes["client"]


def test_a_namespace_that_vanishes_while_in_use(pair):
    """Its name goes, a process and its connection stay in it: the daemon goes on, and so do they."""
    daemon = pair.serve()
    sink = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    pair.run(["ip", "netns", "delete", pair.client.name])
    wait_until(lambda: namespaces(daemon)[pair.client.name]["state"] == "vanished", "vanished")
    assert namespaces(daemon)[pair.client.name]["reason"] == "it has no name any more, so it cannot be entered"
    app.set(ADD, 1)
    wait_until(lambda: daemon.status()["daemon"]["counters"]["create_failures"] == 1, "given up")
    assert len(app.subflows()) == 1
    assert daemon.ask(line="paths")["paths"][0]["reason"] == "probes cannot be sent from this host"
    app("send(s, 1000000)")
    sink.stop()
    app.stop()
    wait_until(lambda: pair.client.name not in namespaces(daemon), "status forgets it")
    pair.client.close()
    del pair.nodes["client"]
    again = pair.netns("client")
    wait_until(lambda: namespaces(daemon).get(again.name, {}).get("state") == "served",
               "another namespace of the same name is served")


def test_short_lived_namespaces_leave_nothing_behind(pair):
    names = Names(pair)
    names.add("stays")
    daemon = names.start("own *")
    descriptors = f"/proc/{daemon.process.pid}/fd"
    wait_until(lambda: set(namespaces(daemon)) == {"own", "stays"}, "served")
    before = len(os.listdir(descriptors))
    for _ in range(20):
        names.add("brief")
        wait_until(lambda: "brief" in namespaces(daemon), "served")
        names.delete("brief")
    wait_until(lambda: set(namespaces(daemon)) == {"own", "stays"}, "all are forgotten")
    assert len(os.listdir(descriptors)) == before


def test_own_and_all_are_words_and_no_names(pair):
    names = Names(pair)
    for name in ("own", "all", "other"):
        names.add(name)
    daemon = names.start("own oth*")
    wait_until(lambda: "other" in namespaces(daemon), "served")
    assert set(namespaces(daemon)) == {"own", "other"}
    assert names.pm_type("own") == names.pm_type("all") == KERNEL_PM
    daemon.stop()
    daemon = names.start("[o]wn")  # a pattern of names: not the daemon's own
    wait_until(lambda: namespaces(daemon), "served")
    assert names.pm_type("own") == USERSPACE_PM
    assert pm_type(pair.client) == names.pm_type("all") == KERNEL_PM


def test_a_namespace_keeps_being_served_under_another_name(pair):
    """One name goes and another is there, or comes later."""
    names = Names(pair)
    names.add("first")
    daemon = names.start("first")
    wait_until(lambda: "first" in namespaces(daemon), "served")
    cookie = namespaces(daemon)["first"]["cookie"]

    def is_served(name):
        return {entry: (about["state"], about["cookie"])
                for entry, about in namespaces(daemon).items()} == {name: ("served", cookie)}

    names.add_second("second", "first")
    names.delete("first")
    wait_until(lambda: is_served("second"), "the other name is taken")

    keeper = pair.popen([*names.enter, "--", "nsenter", "--net=/run/netns/second", "--",
                         "sleep", "infinity"])
    wait_until(lambda: os.stat(f"/proc/{keeper.pid}/ns/net").st_ino ==
               int(names.run("stat", "-Lc", "%i", "/run/netns/second")), "something is inside")
    names.delete("second")
    wait_until(lambda: namespaces(daemon)["second"]["state"] == "vanished", "no name is left")
    names.run("ip", "netns", "attach", "third", str(keeper.pid))
    wait_until(lambda: is_served("third"), "a later name is taken")

    # And its path is the one by which everything is put back.
    assert names.pm_type("third") == USERSPACE_PM
    daemon.process.kill()
    wait_guardian_gone(daemon)
    assert names.pm_type("third") == KERNEL_PM


def test_a_namespace_with_the_name_and_inode_of_the_one_before(pair):
    """Where the daemon sees the end of the one and the beginning of the other at once."""
    names = Names(pair)
    names.add("again")
    daemon = names.start("again")

    def make():
        """A namespace without a name: the kernel gives it the lowest number that is free."""
        process = pair.popen(["unshare", "--net", "sh", "-c",
                              "stat -Lc %i /proc/self/ns/net && exec sleep infinity"],
                             stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()

    for _ in range(10):  # somebody else on this host may be given the number
        wait_until(lambda: "again" in namespaces(daemon), "served")
        before = namespaces(daemon)["again"]["cookie"]
        number = names.run("stat", "-Lc", "%i", "/run/netns/again").strip()
        daemon.process.send_signal(signal.SIGSTOP)
        names.delete("again")
        made = [make()]
        while made[-1][1] != number and len(made) < 30:
            made.append(make())
        names.run("ip", "netns", "attach", "again", str(made[-1][0].pid))
        daemon.process.send_signal(signal.SIGCONT)
        wait_until(lambda: namespaces(daemon).get("again", {}).get("cookie", before) != before,
                   "the new one is served")
        assert names.pm_type("again") == USERSPACE_PM
        for process, _ in made:
            process.kill()
            process.wait()
        if made[-1][1] == number:
            return
    pytest.fail("the kernel did not give the number again")


def test_endpoints_of_the_in_kernel_path_manager_are_respected(pair):
    pair.client.run(["ip", "mptcp", "endpoint", "add", pair.near.ip4, "subflow"])
    daemon = start(pair, f"{pair.client.name} {pair.server.name}")
    wait_until(lambda: len(namespaces(daemon)) == 2, "both are known")
    entry = namespaces(daemon)[pair.client.name]
    assert entry["state"] == "left alone"
    assert "endpoint" in entry["reason"] and "take_over" in entry["reason"]
    assert pm_type(pair.client) == KERNEL_PM
    assert entry["reason"] in daemon.log.read_text()

    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    with pytest.raises(OSError) as caught:
        app.set(ADD, 1)
    assert caught.value.errno == 95
    # CONNID does not exist there.
    connection = wait_until(lambda: [c for c in daemon.status()["connections"]
                                     if c["namespace"] == pair.client.name], "status shows it")[0]
    assert connection["decision"] == "cannot be split: its namespace is left alone"

    assert "set; namespaces that are served stay so" in does(daemon, "set", "namespaces.take_over", "yes")
    assert is_served(daemon, pair.client) and pm_type(pair.client) == USERSPACE_PM


def test_take_over(pair):
    pair.client.run(["ip", "mptcp", "endpoint", "add", pair.near.ip4, "subflow"])
    daemon = start(pair, pair.client.name, take_over="yes")
    wait_until(lambda: namespaces(daemon).get(pair.client.name, {}).get("state") == "served",
               "served")
    assert pm_type(pair.client) == USERSPACE_PM


def listen_for_path_manager_events(node):
    """What mptcpd does: a generic netlink socket in the multicast group of the events."""
    genl = node.inside(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 16)
    genl.bind((0, 0))
    name = b"mptcp_pm\0"
    attribute = (4 + len(name)).to_bytes(2, "little") + (2).to_bytes(2, "little") + name
    attribute += bytes(-len(attribute) % 4)
    body = bytes([3, 1, 0, 0]) + attribute
    genl.send((16 + len(body)).to_bytes(4, "little") + (16).to_bytes(2, "little")
              + (1).to_bytes(2, "little") + bytes(8) + body)
    answer = genl.recv(65536)
    at = answer.index(b"mptcp_pm_events\0")
    group = int.from_bytes(answer[at - 8:at - 4], "little")
    genl.setsockopt(270, 1, group)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
    return genl


def listens_to_events(process):
    """Whether it has a generic netlink socket in a multicast group, as /proc shows."""
    lines = Path(f"/proc/{process.pid}/net/netlink").read_text().splitlines()[1:]
    return any(line.split()[1] == "16" and int(line.split()[3], 16) for line in lines)


def test_another_path_manager_is_respected(pair):
    with listen_for_path_manager_events(pair.client):
        daemon = start(pair, pair.client.name)
        wait_until(lambda: namespaces(daemon), "known")
        entry = namespaces(daemon)[pair.client.name]
        assert entry["state"] == "left alone" and "another path manager" in entry["reason"]
        assert pm_type(pair.client) == KERNEL_PM


def is_served(daemon, node):
    return namespaces(daemon)[node.name]["state"] == "served"


@pytest.mark.parametrize("how", ["reload", "connections"])
def test_what_was_left_alone_is_served_when_nothing_is_in_its_way(pair, how):
    """At a reload, or soon after it has connections: nobody tells the daemon of the end of a listener."""
    monitor = pair.client.popen(["ip", "mptcp", "monitor"], stdout=subprocess.DEVNULL)
    wait_until(lambda: listens_to_events(monitor), "it listens")
    daemon = start(pair, pair.client.name)
    wait_until(lambda: namespaces(daemon), "known")
    assert not is_served(daemon, pair.client)
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
    pair.sink()
    if how == "reload":
        does(daemon, "reload")
        assert not is_served(daemon, pair.client)
    monitor.terminate()
    monitor.wait(10)
    if how == "reload":
        does(daemon, "reload")
    else:
        def connect():
            pair.app(pair.client).connect(pair.far.ip4).stop()
            return is_served(daemon, pair.client)
        wait_until(connect, "it is served", timeout_s=60)
    assert is_served(daemon, pair.client) and namespaces(daemon)[pair.client.name]["reason"] == ""
    assert pm_type(pair.client) == USERSPACE_PM
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)
    daemon.stop()
    assert pm_type(pair.client) == KERNEL_PM


def test_its_own_namespace_by_name_is_tried_again(pair):
    """It is shown as `own`, whatever name it was asked for by."""
    with listen_for_path_manager_events(pair.client):
        daemon = Daemon(pair, BUILD, {"namespaces": {"serve": pair.client.name}})
        daemon.start(within=pair.client)
        does(daemon, "reload")
        assert namespaces(daemon)["own"]["state"] == "left alone"
    does(daemon, "reload")
    assert namespaces(daemon)["own"]["state"] == "served" and pm_type(pair.client) == USERSPACE_PM
    assert list(namespaces(daemon)) == ["own"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_was_set_is_put_back(pair, how):
    daemon = pair.serve()
    assert pm_type(pair.client) == pm_type(pair.server) == USERSPACE_PM
    daemon.process.send_signal(how)
    wait_until(lambda: pm_type(pair.client) == pm_type(pair.server) == KERNEL_PM, "put back")
    assert daemon.process.wait(10) == (0 if how != signal.SIGKILL else -how)


def test_what_was_set_is_put_back_after_other_namespaces_have_ended(pair):
    """The guardian forgets those, and no others."""
    names = Names(pair)
    names.add("brief")
    daemon = names.start("*")
    wait_until(lambda: "brief" in namespaces(daemon), "served")
    for name in ("a", "b"):
        names.add(name)
    wait_until(lambda: {"a", "b"} <= set(namespaces(daemon)), "served")
    names.delete("brief")
    wait_until(lambda: "brief" not in namespaces(daemon), "forgotten")
    daemon.process.kill()
    wait_guardian_gone(daemon)
    assert names.pm_type("a") == names.pm_type("b") == KERNEL_PM


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_somebody_else_has_set_since_is_not_touched(pair, how):
    """The administrator's own value wins: here the sysctl was ours already before the daemon."""
    pair.client.sysctl({"net.mptcp.pm_type": USERSPACE_PM})
    daemon = pair.serve()
    pair.server.sysctl({"net.mptcp.pm_type": KERNEL_PM})
    daemon.process.send_signal(how)
    daemon.process.wait(10)
    wait_guardian_gone(daemon)
    assert pm_type(pair.client) == USERSPACE_PM
    assert pm_type(pair.server) == KERNEL_PM


def test_a_killed_guardian_is_replaced(pair):
    daemon = pair.serve()

    first, = guardians(pair)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: guardians(pair) not in ([], [first]), "a new guardian")
    wait_until(lambda: "new one has taken its place" in daemon.log.read_text(), "the log says so")
    daemon.process.kill()
    wait_until(lambda: pm_type(pair.client) == pm_type(pair.server) == KERNEL_PM, "put back")


def test_a_socket_passed_to_another_namespace_keeps_working(pair):
    """The options follow the socket's namespace and not that of the process."""
    pair.serve()
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    # Unprivileged, so the process cannot move itself: hand the socket to one that is elsewhere.
    path = str(pair.directory / "hand")
    other = pair.app(pair.server, uid=0)
    other(f"u = socket.socket(socket.AF_UNIX); u.bind({path!r}); u.listen(1)")
    other(f"os = __import__('os'); os.chmod({path!r}, 0o777)")
    app(f"u = socket.socket(socket.AF_UNIX); u.connect({path!r}); socket.send_fds(u, [b'x'], [s.fileno()])")
    other("c, _ = u.accept(); s = socket.socket(fileno=socket.recv_fds(c, 1, 1)[1][0])")
    other.set(ADD, 1)
    app.wait_subflows(2)
    assert other.connid() == app.connid()


def test_a_namespace_with_the_id_of_one_that_has_ended(pair):
    """The kernel gives the id again before the daemon has heard of the end."""
    names, stranger = Names(pair), pair.prefix + "stranger"
    daemon = names.start("served")

    def ids():
        listed = pair.client.run(["ip", "netns", "list-id"])
        return [line.split()[1] for line in listed.splitlines()]

    others = ids()
    pair.run(["ip", "netns", "add", stranger])
    pair.client.run(["ip", "netns", "set", stranger, "auto"])
    before = ids()
    assert len(before) == len(others) + 1
    daemon.process.send_signal(signal.SIGSTOP)
    names.add("served")
    pair.run(["ip", "netns", "delete", stranger])
    wait_until(lambda: ids() == others, "the stranger has ended")
    daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: "served" in namespaces(daemon), "served")
    assert ids() == before
    daemon.stop()
    assert "has ended" not in daemon.log.read_text()
    assert names.pm_type("served") == KERNEL_PM
