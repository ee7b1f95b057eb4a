# SPDX-License-Identifier: MIT
"""What a kernel makes of a subflow that joins and carries data while the server's recv() goes on.

Somebody owns the socket, so mptcp_finish_join() (net/mptcp/protocol.c) leaves the rest for when
that ends. It is mptcp_subflow_joined(): `map_seq` of the subflow is set to the connection's
`ack_seq`. Where data of the subflow has come meanwhile, that was its place in the stream.
"""
import json
import re
import subprocess

from conftest import BUILD
from lab.netns import wait_until

PORT = 7000
KB = 1024
# One page is what recv() is held with. What follows is late; what follows that, on the new subflow.
HELD, LATE, EARLY, REST = 4 * KB, 8 * KB, 64 * KB, 1024 * KB


def by_kernel(homes, *flags):
    """Opens the subflow by the in-kernel path manager."""
    homes.client.run(["ip", "mptcp", "limits", "set", "subflows", "1"])
    homes.client.run(["ip", "mptcp", "endpoint", "add", homes.near2.ip4, "subflow", *flags])


def second(homes):
    """What the client's kernel says of the subflow from the second address."""
    return homes.client.run(["ss", "-tnHOi", "src", homes.near2.ip4])


def held_join(homes, join, held=True, carries=True, then=lambda app: None):
    """The outcome, of a server that reads what an application sends over two subflows.

    join(app) opens the second one, from homes.near2, while the server is held within recv().
    held: or, if not, after that.
    carries: whether data is waited for on the second subflow, before the server goes on.
    then(app) is called when it does.
    Returns what hold.c prints and, as the server counts them, "unmatched" mappings and "resets".
    """
    before = homes.server.netstat()
    server = homes.server.popen([BUILD / "tests" / "e2e" / "hold", str(PORT)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    app = homes.app(homes.client)
    app("import array, sys")
    sent = 0

    def send(size):
        nonlocal sent
        app(f"words = array.array('I', range({sent // 4}, {(sent + size) // 4}))")
        app("if sys.byteorder == 'little': words.byteswap()")
        app("s.sendall(words.tobytes())")
        sent += size

    def go_on():
        server.stdin.write("\n")
        server.stdin.flush()

    assert server.stdout.readline() == "listening\n"
    app.connect(homes.far.ip4, PORT, talk=False)
    send(HELD)
    assert server.stdout.readline() == "held\n"
    if not held:
        go_on()
    homes.black_hole("client", "server")
    send(LATE)
    join(app)
    # `e`: fully established, which it is when the server has confirmed it.
    wait_until(lambda: re.search(r"flags:\w*e", second(homes)),
               lambda: f"a subflow: {second(homes)}")
    send(EARLY)
    if carries:
        # The first of them is the SYN.
        wait_until(lambda: re.search(r"bytes_acked:\d\d", second(homes)),
                   lambda: f"data on the subflow: {second(homes)}")
    homes.black_hole("client", "server", on=False)
    if held:
        go_on()
    then(app)
    send(REST)
    app.close()
    outcome = json.loads(server.stdout.readline())
    app.stop()
    assert outcome["wrong_at"] >= 0 or outcome["ended"] and outcome["bytes"] == sent, outcome
    after = homes.server.netstat()
    return {**outcome, **{name: after[counter] - before[counter] for name, counter in
                          (("unmatched", "MPTcpExtDSSNotMatching"), ("resets", "MPTcpExtMPRstTx"))}}


def verdict(outcome):
    """`harmed`: bytes, or a mapping, in a wrong place. `intact`: neither, and no subflow lost."""
    if outcome["wrong_at"] >= 0 or outcome["unmatched"]:
        return "harmed"
    assert not outcome["resets"], outcome
    return "intact"


def test_what_this_kernel_makes_of_a_join_while_the_server_reads(homes, record_property):
    """Either is right here, for it is the kernel's: docs/kernels.md says which have it."""
    outcome = held_join(homes, lambda app: by_kernel(homes))
    print(f"join while the server reads: {verdict(outcome)}: {outcome}")
    record_property("join while the server reads", verdict(outcome))
    assert verdict(outcome) in ("harmed", "intact")


def test_the_same_while_the_server_waits_is_harmless(homes):
    """What the other test finds is not of the play's making."""
    assert verdict(held_join(homes, lambda app: by_kernel(homes), held=False)) == "intact"
