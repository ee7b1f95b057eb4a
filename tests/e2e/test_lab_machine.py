# SPDX-License-Identifier: MIT
"""subflow-lab where it cannot work: one line says what is missing, and the remedy."""
import os
import shutil
import stat
import sys

import labs
import pytest

# bpf(2), as a kernel without it answers: ENOSYS. The numbers are those of struct seccomp_data.
WITHOUT_BPF = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
code = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7fff0000)))
filters = ctypes.create_string_buffer(code)
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(22, 2, struct.pack("HxxxxxxP", 4, ctypes.addressof(filters)), 0, 0):
    raise OSError(ctypes.get_errno(), "prctl")
os.execvp(sys.argv[1], sys.argv[1:])
"""
# An nft of a kernel that does not know this.
FALSE_NFT = """#!/bin/sh
case $(cat) in *{option}*) echo "/dev/stdin:4:9-70: Error: Could not process rule: Operation not supported
and the rule itself" >&2; exit 1;; esac
"""
# A tc of a kernel that does not know what is in the first argument.
FALSE_TC = """#!/bin/sh
orders=$(cat)
case $orders in *{what}*) echo "Error: Specified qdisc kind is unknown." >&2; exit 2;; esac
echo "$orders" | exec {tc} "$@"
"""


@pytest.fixture
def command(tmp_path):
    return labs.Command(tmp_path)


def says(command, words, under=()):
    """The one line of a command that cannot work."""
    status, output, error = command(*words, under=under)
    assert (status, output, error.count("\n")) == (1, "", 1), (output, error)
    assert error.startswith("subflow-lab: ") and not command.note.exists()
    return error


def stands_for(directory, name, text):
    program = directory / name
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


UP = ["up", "leaf-spine", "--spines", 2, "--leaves", 2, "--hosts", 1, "--rate", 20]


@pytest.mark.parametrize("verb", ["up", "run", "down", "shell"])
def test_without_root(command, verb):
    words = {"up": UP, "run": command.run("stride1"), "down": ["down"], "shell": ["shell", "host0"]}[verb]
    nobody = ("setpriv", "--reuid=65534", "--clear-groups", "env", "PYTHONDONTWRITEBYTECODE=1")
    assert says(command, words, nobody).endswith("run this with sudo\n")


def test_without_mptcp(command):
    hidden = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc/sys/net && exec "$@"', "sh")
    for words in (UP, command.run("stride1", "--system", "tcp")):
        assert "this kernel has no MPTCP: boot one that has" in says(command, words, hidden)


@pytest.mark.parametrize("what, modules", [("htb", "sch_htb"), ("clsact", "sch_ingress cls_bpf")])
def test_without_a_queue_or_filter(command, tmp_path, what, modules):
    stands_for(tmp_path, "tc", FALSE_TC.format(what=what, tc=shutil.which("tc")))
    command.environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    for words in (UP, command.run("stride1", "--system", "tcp")):
        assert f"modprobe {modules}, or boot one that has" in says(command, words)


def test_without_bpf(command, tmp_path):
    """TCP needs none; what subflowd needs, it says itself."""
    seccomp = (sys.executable, "-c", WITHOUT_BPF)
    words = command.hasty("stride1", "--seconds", 1, "--seeds", 1, "--busy")
    status, output, error = command(*words, "--system", "tcp", "--system", "subflow", under=seccomp)
    assert status == 1 and error.count("\n") == 1, (output, error)
    assert "subflowd ended by itself" in error and "BPF" in error
    assert [result["system"] for result in command.kept()] == ["tcp", "tcp"], "what there was is kept"


@pytest.mark.parametrize("program, words", [
    ("tc", UP), ("nginx", ["run", "curl-upload", "--system", "tcp"]),
    ("iperf3", ["run", "iperf3", "--system", "tcp"]), ("nft", ["run", "refused", "--system", "tcp"])])
def test_without_a_program(command, tmp_path, program, words):
    for name in {"ip", "tc", "nsenter", "iperf3", "curl", "nginx", "sh", "env", "dirname", "readlink"} - {program}:
        (tmp_path / name).symlink_to(shutil.which(name))
    command.environment["PATH"] = str(tmp_path)
    assert says(command, words) == f"subflow-lab: there is no {program}: make deps\n"


@pytest.mark.parametrize("option", ["reject", "numgen"])
def test_without_nftables(command, tmp_path, option):
    """Who needs them is told before anything is measured; who does without, does without."""
    stands_for(tmp_path, "nft", FALSE_NFT.format(option=option))
    command.environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    for words in (["run", "refused"], ["run", "reordered"], command.run("stride1", "--fail", "1:refuse:host1"),
                  command.run("stride1", "--fail", "0:drop:leaf0:spine0", "--fail", "1:spray:leaf0")):
        assert "modprobe nf_tables nft_reject_inet nft_numgen, or boot one that has" in says(command, words)
    late = command.run("stride1", "--fail", "9:drop:leaf0:spine0")
    assert "the run is over" in says(command, late), "as it is with nftables"


def test_without_a_module_of_python(command, tmp_path):
    """A report has pictures; what needs none does without."""
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError(name='matplotlib')\n")
    command.environment["PYTHONPATH"] = str(tmp_path)
    command.results.write_text('{"discarded": "", "workload": "stride1"}\n')
    error = says(command, ["report", "--results", command.results, "-o", tmp_path / "page.html"])
    assert error == "subflow-lab: Python has no matplotlib: make deps\n"
    assert command("list")[0] == 0


def test_with_too_little_cpu(command):
    words = ["up", "fat-tree", "--rate", 40]
    error = says(command, words, ("taskset", "-c", "0"))
    assert error == "subflow-lab: 16 hosts of 40 Mbit/s are too much for 1 CPU: take --rate 25 or less\n"
    assert "take a smaller fabric" in says(command, ["run", "stride1", "--k", 16, "--rate", 1])


def test_with_a_congestion_control_that_is_not_allowed(command):
    for words in (UP, command.run("stride1")):
        assert "--control fastest: this kernel allows reno" in says(command, [*words, "--control", "fastest"])


@pytest.mark.parametrize("words", [["--system", "tcp"], ["--system", "subflow"]])
def test_without_a_build(command, tmp_path, words):
    command.environment["SUBFLOW_BUILD"] = str(tmp_path / "nothing")
    status, _, error = command(*command.run("stride1", "--busy", *words))
    assert status == 1 and error.count("\n") == 1 and error.endswith("does not exist: run make first\n")


def test_with_a_lab_up_already(command):
    assert command("up", *UP[1:])[0] == 0
    try:
        status, _, error = command(*UP)
        assert (status, error.count("\n")) == (1, 1)
        assert "a lab is up already (leaf-spine 2 spines" in error and error.endswith("subflow-lab down\n")
    finally:
        assert command("down")[0] == 0
