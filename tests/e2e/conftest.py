# SPDX-License-Identifier: MIT
"""Two hosts on one link, one subflowd for both, and applications that tests tell what to do."""
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from lab.daemon import Daemon  # noqa: E402
from lab.lab import Lab  # noqa: E402
from lab.netns import wait_until  # noqa: E402

from app import App  # noqa: E402
from namespace import Namespace  # noqa: E402
from pinned import Kept  # noqa: E402

# A shell has its jobs in the background ignore it, and what is started here would as well.
signal.signal(signal.SIGINT, signal.default_int_handler)

BUILD = Path(os.environ.get("SUBFLOW_BUILD", ROOT / "build")).resolve()
# How often is tried what goes wrong now and then only.
ROUNDS = int(os.environ.get("SUBFLOW_ROUNDS", 20))


class Pair(Lab):
    """Namespaces `client` and `server`, linked; addresses in .near and .far, at the client's and
    the server's end."""

    RATE_MBIT = 1000

    def build(self):
        self.client = self.netns("client")
        self.server = self.netns("server")
        self.near, self.far = self.veth(self.client, self.server, rate_mbit=self.RATE_MBIT)
        for node in (self.client, self.server):
            node.sysctl({"net.ipv4.tcp_congestion_control": "reno"})

    def serve(self, config=None, serve=None, within=None, build=None):
        """A running daemon, of this build or another, that serves these namespaces, by default both.

        One link is all that there is: no subflow helps, and [benefit] would take back what these
        tests are about. It is off here unless a test sets it; test_benefit.py is about it.
        """
        nodes = [self.client, self.server] if serve is None else serve
        sections = {"namespaces": {"serve": " ".join(node.name for node in nodes) or "own"},
                    "benefit": {"margin_percent": 0}}
        for section, values in (config or {}).items():
            sections.setdefault(section, {}).update(values)
        daemon = Daemon(self, build or BUILD, sections)
        daemon.start(nodes, within)
        return daemon

    def narrow(self, rate_mbit):
        """The client's end of the link is slower than any sender from now on, an emulated one as
        well: what waits, and what goes over which subflow, is not a matter of the machine."""
        rate = f"{rate_mbit}mbit"
        self.client.tc(f"class change dev {self.near.device} parent 1: classid 1:1 htb"
                       f" rate {rate} ceil {rate}")

    def app(self, node, **options):
        return App(node, **options)

    def sink(self, node=None, port=7000, **options):
        """An application on the server that reads whatever comes."""
        app = App(node or self.server)
        app.sink(port, **options)
        return app

    def connection(self, daemon, app):
        """What status says of the connection that an application has in `s`."""
        token = app.connid()

        def find():
            return [c for c in daemon.status().get("connections", [])
                    if c["token"] == token and c["namespace"] in (app.node.name, "own")]

        return wait_until(find, f"status shows connection {token:08x}")[0]


def guardians(lab):
    """The pids of the guardians of the daemons in a lab."""
    def name_of(pid):
        try:
            return Path(f"/proc/{pid}/comm").read_text()
        except OSError:  # it has ended
            return None

    pids = [int(line) for line in (lab.cgroup / "cgroup.procs").read_text().split()]
    return [pid for pid in pids if name_of(pid) == "subflow-guard\n"]


def wait_guardian_gone(daemon):
    """The guardian of a daemon that has ended holds the lock until its work is done."""
    with open(f"{daemon.socket}.lock") as lock:
        def is_free():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
        wait_until(is_free, "the guardian ends")


@pytest.fixture
def pair():
    with Pair() as lab:
        yield lab
        for log in lab.directory.glob("*.log"):
            text = log.read_text(errors="replace")
            assert "Sanitizer" not in text and "runtime error:" not in text, text


@pytest.fixture
def served(pair):
    """The pair with a daemon at its defaults."""
    pair.daemon = pair.serve()
    return pair


@pytest.fixture
def kept(pair):
    return Kept(pair)


@pytest.fixture
def homes(pair):
    """The pair with a second link, .near2 to .far2; what leaves with the client's second address
    takes it, whatever its destination. The server is not ours: it has the in-kernel path manager."""
    pair.near2, pair.far2 = pair.veth(pair.client, pair.server, "server2", "client2",
                                      rate_mbit=1000)
    for family, near, far in (("-4", pair.near2.ip4, pair.far2.ip4),
                              ("-6", pair.near2.ip6, pair.far2.ip6)):
        pair.client.run(["ip", family, "rule", "add", "from", near, "lookup", "102"])
        pair.client.run(["ip", family, "route", "add", "default", "via", far, "dev", "server2",
                         "table", "102"])
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
    return pair


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What both ends saw, where a test with a daemon failed."""
    lab = item.funcargs.get("pair") if hasattr(item, "funcargs") else None
    failed = call.when == "call" and call.excinfo and call.excinfo.typename != "Skipped"
    if lab is not None and failed:
        add_sections(item, lab)
    yield


def add_sections(item, lab):
    for path in sorted(lab.directory.glob("*.log")) if lab.directory.exists() else []:
        item.add_report_section("call", path.name, path.read_text(errors="replace")[-4000:])
    for node in list(lab.nodes.values()):
        try:
            sockets = node.run(["ss", "-Mnita"]) + node.run(["ss", "-tnita"])
            counters = {k: v for k, v in node.netstat().items() if "MPTcp" in k and v}
        except Exception as error:  # the report must not hide the failure
            sockets, counters = str(error), {}
        item.add_report_section("call", node.name, f"{sockets}\n{counters}")


@pytest.fixture
def control(tmp_path):
    """Where a feigned daemon may listen."""
    return tmp_path / "control"


@pytest.fixture
def namespace():
    with Namespace() as namespace:
        yield namespace


@pytest.fixture
def open_folder():
    """A folder that every user may enter, which tmp_path is not."""
    folder = tempfile.mkdtemp(prefix="sf-cli-")
    os.chmod(folder, 0o755)
    yield Path(folder)
    shutil.rmtree(folder)
