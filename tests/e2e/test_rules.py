# SPDX-License-Identifier: MIT
"""[rule NAME]: whose connections are split when, on real transfers."""
import subprocess

import pytest
from conftest import BUILD
from lab.netns import wait_until
from test_control import SOMEBODY
from test_detect import SOURCES
from test_detect import serve as serve_with
from test_elephant import MB, NO_REPAIR
from test_orders import configuration, does, fails

SUBFLOW = BUILD / "cli" / "subflow"


def serve(pair, rules, **elephant):
    """A daemon with these [rule NAME] sections; by default it splits nothing."""
    elephant = {"start": "1GB", "stop": "2GB", **elephant}
    return pair.serve({"elephant": elephant, **NO_REPAIR,
                       **{f"rule {name}": values for name, values in rules.items()}})


def send(pair, megabytes, wait=None, port=7000, address=None, **options):
    """A connection that has sent so much, and has so many subflows."""
    app = pair.app(pair.client, **options).connect(address or pair.far.ip4, port=port)
    app(f"send(s, {megabytes * MB})")
    if wait:
        app.wait_subflows(wait)
    return app


def thresholds(pair, daemon, app):
    connection = pair.connection(daemon, app)
    return connection["rule"], [t["threshold"] // MB for t in connection["thresholds"]]


SMALL = {"start": "5MB", "step": "5MB", "stop": "14MB"}


def test_by_user_port_and_prefix(pair):
    daemon = serve(pair, {
        "user": {"uid": SOMEBODY, **SMALL},
        "port": {"port": 7001, "start": "8MB", "step": "6MB", "stop": "19MB"},
        "six": {"remote": f"{pair.far.ip6}/128", "start": "7MB", "step": "1GB"},
        "elsewhere": {"remote": "198.51.100.0/24", "start": "1MB"},
        "near": {"local": f"{pair.near.ip4}/32", "start": "3MB", "max_subflows": 2}})
    pair.sink()
    pair.sink(port=7001)
    pair.sink(port=7002, family=10)
    app = send(pair, 30, 3, uid=SOMEBODY)
    assert thresholds(pair, daemon, app) == ("user", [5, 10])
    app = send(pair, 30, 3, port=7001)
    assert thresholds(pair, daemon, app) == ("port", [8, 14])
    app = send(pair, 30, 2, address=pair.far.ip6, port=7002)
    assert thresholds(pair, daemon, app) == ("six", [7])
    app = send(pair, 30, 2)
    assert thresholds(pair, daemon, app) == ("near", [3])


def test_by_cgroup_and_all_below_it(pair):
    below = pair.cgroup / "below"
    below.mkdir()
    daemon = serve(pair, {"bulk": {"cgroup": below.parent / "below", **SMALL}})
    pair.sink()
    app = pair.app(pair.client)
    app("1")  # by now it has joined the lab's cgroup
    deeper = below / "deeper"
    deeper.mkdir()
    try:
        (deeper / "cgroup.procs").write_text(str(app.process.pid))
        app.connect(pair.far.ip4)
        app(f"send(s, {30 * MB})")
        app.wait_subflows(3)
        assert thresholds(pair, daemon, app) == ("bulk", [5, 10])
        other = send(pair, 30)
        assert thresholds(pair, daemon, other) == (None, [])
    finally:
        app.process.kill()
        app.process.wait()
        deeper.rmdir()
        below.rmdir()


def test_by_namespace_and_interface(pair):
    daemon = serve(pair, {
        "elsewhere": {"namespace": "no-such-*", "start": "1MB"},
        "device": {"interface": "no-such", "start": "1MB"},
        "here": {"namespace": pair.prefix + "cl*", "interface": pair.near.device, **SMALL}})
    pair.sink()
    app = send(pair, 30, 3)
    assert thresholds(pair, daemon, app) == ("here", [5, 10])


def test_never_and_the_defaults(pair):
    """The first that matches counts; where none does, [elephant] holds."""
    daemon = pair.serve({"elephant": {"start": "4MB", "step": "100MB"},
                         "policy": {"ndiffports": 2},
                         "rule quiet": {"port": 7001, "split": "never"},
                         "rule later": {"port": 7001, "start": "1MB"}})
    pair.sink()
    pair.sink(port=7001)
    app = send(pair, 30, port=7001)
    connection = pair.connection(daemon, app)
    assert connection["rule"] == "quiet" and len(app.subflows()) == 1
    assert connection["decision"] == "not split: rule quiet says never"
    app.set(10003, 1)
    app.wait_subflows(2)
    app = send(pair, 30, 3)
    assert thresholds(pair, daemon, app) == (None, [4])
    shown = subprocess.run([SUBFLOW, "status"], env=daemon.environment, capture_output=True,
                           text=True, check=True).stdout
    assert "    rule       quiet\n" in shown
    told = subprocess.run([SUBFLOW, "explain", f"{pair.client.name}/{app.connid():x}"],
                          env=daemon.environment, capture_output=True, text=True, check=True).stdout
    assert "rule" not in told.replace("elephant rule", "")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("then", ["no rule", "another"])
def test_never_ends_with_a_reload(pair, then, source):
    """An elephant that is there already is split as it goes on."""
    daemon = serve_with(pair, source, {"elephant": {"start": "4MB", "step": "1GB", "stop": "100GB"}, **NO_REPAIR})
    path = configuration(daemon)
    before = path.read_text()
    never, other = (before + f"[rule quiet]\nport = 7000\n{line}\n" for line in ("split = never", "start = 3MB"))
    path.write_text(never)
    does(daemon, "reload")
    pair.sink()
    app = send(pair, 12)
    assert (pair.connection(daemon, app)["rule"], len(app.subflows())) == ("quiet", 1)
    path.write_text(other if then == "another" else before)
    does(daemon, "reload")
    app(f"send(s, {12 * MB})")
    app.wait_subflows(2)
    assert thresholds(pair, daemon, app) == (("quiet", [3]) if then == "another" else (None, [4]))


def test_explain_names_the_rule(pair):
    daemon = serve(pair, {"bulk": {"uid": SOMEBODY, **SMALL}})
    pair.sink()
    app = send(pair, 6, 2, uid=SOMEBODY)
    told = does_explain(daemon, pair, app)
    assert "Rule bulk holds for it." in told
    assert "one more at 10 MB" in told


def does_explain(daemon, pair, app):
    name = f"{pair.client.name}/{app.connid():x}"
    return subprocess.run([SUBFLOW, "explain", name], env=daemon.environment, capture_output=True,
                          text=True, check=True).stdout


def test_rules_come_and_go_with_a_reload(pair):
    """Connections that are there come under them too."""
    daemon = pair.serve({"elephant": {"start": "1GB", "stop": "2GB"}, **NO_REPAIR})
    path = configuration(daemon)
    before = path.read_text()
    pair.sink()
    old = pair.app(pair.client, uid=SOMEBODY).connect(pair.far.ip4)
    path.write_text(before + f"[rule bulk]\nuid = {SOMEBODY}\nstart = 5MB\nstep = 5MB\nstop = 14MB\n")
    does(daemon, "reload")
    assert pair.connection(daemon, old)["rule"] == "bulk"
    for app in (old, pair.app(pair.client, uid=SOMEBODY).connect(pair.far.ip4)):
        app(f"send(s, {30 * MB})")
        app.wait_subflows(3)
        assert thresholds(pair, daemon, app) == ("bulk", [5, 10])

    path.write_text(before + "[rule bulk]\nstart = 5GB\n")
    assert ": [rule bulk]: its start is 5000000000, its stop 2000000000" in fails(daemon, "reload")
    path.write_text(before + "[rule bulk]\nstrat = 5GB\n")
    assert "no key strat in [rule]; there are cgroup uid" in fails(daemon, "reload")
    assert pair.connection(daemon, old)["rule"] == "bulk"

    path.write_text(before)
    does(daemon, "reload")
    assert pair.connection(daemon, old)["rule"] is None
    app = send(pair, 30)
    assert thresholds(pair, daemon, app) == (None, [])
    assert daemon.status()["daemon"]["counters"]["rules_refused"] == 0


def test_a_restart_finds_the_rules_of_what_is_there(pair):
    daemon = serve(pair, {"bulk": {"uid": SOMEBODY, **SMALL}})
    pair.sink()
    app = pair.app(pair.client, uid=SOMEBODY).connect(pair.far.ip4)
    daemon.stop()
    daemon.start([pair.client, pair.server])
    wait_until(lambda: pair.connection(daemon, app)["rule"] == "bulk", "its rule is found")


@pytest.mark.parametrize("source", SOURCES)
def test_with_each_detector(pair, source):
    daemon = serve_with(pair, source, {"elephant": {"start": "1GB", "stop": "2GB"}, **NO_REPAIR,
                                       "rule bulk": {"uid": SOMEBODY, **SMALL}})
    pair.sink()
    app = send(pair, 7, 2, uid=SOMEBODY)
    app(f"send(s, {5 * MB})")  # not past its stop, however late that is seen
    app.wait_subflows(3)
    app(f"send(s, {18 * MB})")
    assert thresholds(pair, daemon, app) == ("bulk", [5, 10])
