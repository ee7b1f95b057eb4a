# SPDX-License-Identifier: MIT
"""Random option calls from many threads: the kernel's state is the model's, and nothing complains."""
import json
import os
import random
import re
import socket
import subprocess

from app import packed
from conftest import BUILD
from lab.netns import PATIENCE, wait_until
from lists import added

SECONDS = int(os.environ.get("HAMMER_SECONDS", 5 * PATIENCE))
THREADS = 8
COMPLAINT = re.compile(rb"WARNING:|BUG:|Oops|general protection|KASAN|UBSAN|refcount_t|lockdep")


def kernel_log():
    """Reads what the kernel says from now on, when called again."""
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(fd, 0, os.SEEK_END)

    def read():
        lines = []
        try:
            while True:
                lines.append(os.read(fd, 8192))
        except BlockingIOError:
            os.close(fd)
            return lines
    return read


def test_random_calls_leave_the_state_that_the_model_has(pair):
    daemon = pair.serve({"limits": {"calls_per_second": 1000000,
                                    "calls_per_second_of_user": 1000000, "max_subflows": 8}})
    sink = pair.sink(address="::", family=socket.AF_INET6)
    own = pair.near.ip4.rpartition(".")[0] + ".99"
    pair.client.ip(f"address add {own}/24 dev {pair.near.device}")
    app = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: added(app, packed(own)), "the address is known to be local")
    app.stop()
    seed = os.environ.get("HAMMER_SEED", str(random.getrandbits(32)))
    said = kernel_log()
    hammer = pair.client.popen(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
         BUILD / "tests" / "e2e" / "hammer", pair.far.ip4, pair.far.ip6, own, "7000", "8",
         str(SECONDS), str(THREADS), seed],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = hammer.communicate(timeout=SECONDS + 60 * PATIENCE)
    print(f"HAMMER_SEED={seed}\n{output}{errors}")
    complaints = [line for line in said() if COMPLAINT.search(line)]
    assert not complaints
    print(daemon.status()["daemon"]["counters"])
    assert hammer.returncode == 0, errors
    result = json.loads(output)
    assert result["violations"] == 0
    # It did what it is for: requests were accepted, and refused for each of these reasons.
    assert result["adds"] > 10 and result["removes"] > 10 and result["calls"] > 10000
    assert result["list_adds"] > 10 and result["list_removes"] > 10 and result["totals"] > 10
    assert result["backups"] > 0 and result["forecasts"] > 0
    assert result["ports"] > 0
    assert result["beyond"] <= 1  # of four sockets that get lists
    assert result["announced"] > 10 and result["dismissed"] > 10  # by accepted connections
    for kind in ("set 10003 EINVAL", "set 10003 EDQUOT", "set 10004 EBUSY", "set 10003 EOPNOTSUPP",
                 "set 10004 EADDRNOTAVAIL", "set 10007 EDQUOT",
                 "get 10005 ERANGE", "get 10005 ENOTCONN", "get 10006 EINVAL", "set 10008 EINVAL",
                 "set 10008 EADDRNOTAVAIL", "set 10008 ENOTCONN", "set 10008 EOPNOTSUPP",
                 "set 10009 EINVAL", "set 10009 EOPNOTSUPP", "get 10009 EINVAL", "set 10010 EINVAL"):
        assert kind in result["errors"], kind
    counters = daemon.status()["daemon"]["counters"]
    assert counters["records_malformed"] == counters["events_malformed"] == 0
    sink.stop()
