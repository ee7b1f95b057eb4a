# SPDX-License-Identifier: MIT
"""Network namespaces that have no name, as those of containers: found, served, dropped."""
import os
import signal
from pathlib import Path

import pytest
from app import ADD, App
from conftest import BUILD
from containers import Container
from lab.host import Host
from lab.netns import wait_until

PORT = 7000


@pytest.fixture
def host(pair):
    return Host(pair, pair.client, BUILD)


def namespaces(daemon):
    return {entry["name"]: entry["state"] for entry in daemon.status().get("namespaces", [])}


def converse(app):
    """A connection over the loopback device, both ends in the application."""
    app.sink(PORT)
    app.connect("127.0.0.1", PORT)


def kill(host, daemon):
    os.kill(daemon.host_pid, signal.SIGKILL)
    daemon.process.wait(10)


def test_one_is_served_from_its_first_socket_on(host):
    daemon = host.start()
    container = Container(host)
    app = App(container)
    app("first = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)")
    wait_until(lambda: namespaces(daemon).get(container.name) == "served", "served")
    assert container.pm_type() == 1
    converse(app)
    app.set(ADD, 2)
    app.wait_subflows(3)
    [client] = [c for c in daemon.status()["connections"] if c["role"] == "client"]
    assert client["namespace"] == container.name and client["state"] == "served"


def test_one_that_is_there_already_is_served(host):
    container = Container(host)
    daemon = host.start()
    assert namespaces(daemon)[container.name] == "served"


def test_one_is_served_as_soon_as_a_link_leads_there(host):
    """As the runtimes of containers make them, before anything runs inside."""
    daemon = host.start()
    container = Container(host)
    host.lab.client.run(["ip", "link", "add", "box0", "type", "veth", "peer", "name", "eth0",
                         "netns", str(container.pid)])
    wait_until(lambda: namespaces(daemon).get(container.name) == "served", "served")


def test_one_that_ends_is_forgotten(host):
    container = Container(host)
    daemon = host.start()
    assert container.name in namespaces(daemon)
    os.kill(container.pid, signal.SIGKILL)
    wait_until(lambda: container.name not in namespaces(daemon), "status forgets it")
    assert daemon.process.poll() is None


def test_it_is_left_alone_where_it_is_not_asked_for(host):
    daemon = host.start("own box-*")
    container = Container(host)
    app = App(container)
    converse(app)
    assert namespaces(daemon) == {"own": "served"}
    assert container.pm_type() == 0


def test_the_process_by_which_it_was_found_may_end(host):
    """Another one is the way in from then on, also for putting back what was set."""
    container = Container(host)
    daemon = host.start()
    app = App(container)
    keeper = container.pid
    container.pid = host.inner(app.process)
    converse(app)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{keeper}/ns/net").exists(), "it is gone")
    app.set(ADD, 2)
    app.wait_subflows(3)
    assert namespaces(daemon)[container.name] == "served"
    kill(host, daemon)
    wait_until(lambda: container.pm_type() == 0, "put back")


def test_a_name_that_it_gets_later_is_taken(host):
    container = Container(host)
    daemon = host.start()
    assert container.name in namespaces(daemon)
    number = host.number(container.pid)
    host.popen(["ip", "netns", "attach", "late", str(number)]).wait(10)
    wait_until(lambda: namespaces(daemon).get("late") == "served", "it has its name")
    assert container.name not in namespaces(daemon)
    host.popen(["ip", "netns", "delete", "late"]).wait(10)
    wait_until(lambda: namespaces(daemon).get(container.name) == "served", "and goes on without")


def test_two_hundred_short_lived_ones_leave_nothing_behind(host):
    """Every second one has a connection of two subflows; the others are gone again before anybody has looked."""
    stays = Container(host)
    daemon = host.start()
    descriptors = f"/proc/{daemon.host_pid}/fd"
    wait_until(lambda: stays.name in namespaces(daemon), "served")
    before = len(os.listdir(descriptors))
    assert host.churn(200) == 100
    wait_until(lambda: set(namespaces(daemon)) == {"own", stays.name}, "all are forgotten", 60)
    assert len(os.listdir(descriptors)) == before
    app = App(stays)
    converse(app)
    app.set(ADD, 1)
    app.wait_subflows(2)
