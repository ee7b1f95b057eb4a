# SPDX-License-Identifier: MIT
"""The command `subflow` itself: its usage, and where its output goes."""
import subprocess

import pytest
from cli import DEADLINE_S, SUBFLOW, FeignedDaemon, subflow


def test_usage():
    assert "subflow VERB" in subflow("--help").stdout
    assert subflow("--version").stdout.startswith("subflow ")
    for verb in ("status", "doctor", "run"):
        done = subflow(verb, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"Usage: subflow {verb}")
        assert subflow("help", verb).stdout == done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("status", "--nonsense"), ("status", "1", "2"), ("status", "--socket"),
    ("status", "--timeout", "soon"), ("status", "--timeout", "nan"), ("status", "--timeout", "0"),
    ("doctor", "--nonsense"), ("doctor", "now"),
])
def test_misuse(arguments):
    done = subflow(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr != ""
    if arguments[:1] in (("status",), ("doctor",)):
        name = f"subflow {arguments[0]}"
        first, *_, usage, last = done.stderr.splitlines()
        assert first.startswith(f"{name}: ") and usage.startswith(f"Usage: {name} ")
        assert last == f'Try "{name} --help".'


@pytest.mark.parametrize("arguments", [("status", "--help"), ("--help",), ("--version",)])
def test_output_that_is_lost_is_an_error(arguments):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([SUBFLOW, *arguments], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr


def test_without_an_output_nothing_goes_to_the_daemon_instead(tmp_path):
    told = []

    def answer(peer):
        peer.sendall(b'{"event": "watching"}\n')
        peer.settimeout(DEADLINE_S)
        told.append(peer.recv(100))

    with FeignedDaemon(tmp_path / "control", answer) as daemon:
        done = subflow("watch", "--json", prefix=["sh", "-c", 'exec "$@" >&-', "-"],
                       SUBFLOW_SOCKET=daemon.path)
    assert (done.returncode, told) == (1, [b""])
    assert "cannot write the output: Bad file descriptor" in done.stderr
