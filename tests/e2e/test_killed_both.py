# SPDX-License-Identifier: MIT
"""Daemon and guardian are killed both: the next daemon puts back what they had set."""
import os
import shutil
import signal

import pytest
from app import NOBODY
from conftest import BUILD, guardians, wait_guardian_gone
from lab.daemon import Daemon
from lab.netns import wait_until


def pm_type(node):
    return int(node.inside(lambda: open("/proc/sys/net/mptcp/pm_type").read()))


def notes(daemon):
    return sorted(daemon.socket.parent.glob(f"{daemon.socket.name}.before.*"))


def kill_both(lab, daemon):
    """The guardian first; the daemon has no time to start another."""
    daemon.process.send_signal(signal.SIGSTOP)
    for pid in guardians(lab):
        os.kill(pid, signal.SIGKILL)
    daemon.process.kill()
    daemon.process.wait(10)
    wait_guardian_gone(daemon)


def end(daemon):
    daemon.stop()
    wait_guardian_gone(daemon)


def serving(lab, *nodes):
    """As the lab's daemon, with another configuration."""
    return Daemon(lab, BUILD, {"namespaces": {"serve": " ".join(node.name for node in nodes)}})


@pytest.fixture(name="killed")
def fixture_killed(served):
    assert len(notes(served.daemon)) == 2
    kill_both(served, served.daemon)
    assert pm_type(served.client) == pm_type(served.server) == 1
    return served


def test_what_was_there_before_is_put_back_in_the_end(killed):
    killed.daemon.start([killed.client, killed.server])
    assert pm_type(killed.client) == 1
    assert len(notes(killed.daemon)) == 2
    end(killed.daemon)
    assert pm_type(killed.client) == pm_type(killed.server) == 0
    assert not notes(killed.daemon)


def test_time_and_again(killed):
    for _ in range(3):
        killed.daemon.start([killed.client, killed.server])
        kill_both(killed, killed.daemon)
    killed.daemon.start([killed.client, killed.server])
    end(killed.daemon)
    assert pm_type(killed.client) == pm_type(killed.server) == 0


def test_where_the_next_one_does_not_serve_it_is_put_back_at_once(killed):
    daemon = serving(killed, killed.server)
    daemon.start([killed.server])
    assert (pm_type(killed.client), pm_type(killed.server)) == (0, 1)
    assert len(notes(daemon)) == 1
    assert f"what it had set in /run/netns/{killed.client.name} is put back" in daemon.log.read_text()
    end(daemon)
    assert pm_type(killed.server) == 0


def test_what_somebody_has_set_since_stays(killed):
    killed.client.sysctl({"net.mptcp.pm_type": "0"})
    killed.daemon.start([killed.client, killed.server])
    end(killed.daemon)
    killed.client.sysctl({"net.mptcp.pm_type": "1"})
    killed.daemon.start([killed.client, killed.server])
    end(killed.daemon)
    assert pm_type(killed.client) == 1


def test_the_own_namespace_of_the_one_is_not_that_of_the_next(pair):
    """Started elsewhere, it finds a note without a path, which is of where the first one was."""
    daemon = pair.serve(serve=[], within=pair.client)
    assert pm_type(pair.client) == 1
    kill_both(pair, daemon)
    pair.server.sysctl({"net.mptcp.pm_type": "1"})
    daemon.start([pair.server], within=pair.server)
    end(daemon)
    assert pm_type(pair.server) == 1
    assert not notes(daemon)


def test_where_another_one_serves_by_now_it_is_left_to_who_comes_after(killed):
    cgroup = killed.cgroup / "other"
    cgroup.mkdir()
    other = Daemon(killed, BUILD, {"namespaces": {"serve": killed.client.name},
                                   "hooks": {"cgroup": cgroup}}, name="other")
    other.start([killed.client])
    daemon = serving(killed, killed.server)
    for expected in (1, 0):
        daemon.start([killed.server])
        assert pm_type(killed.client) == expected
        end(daemon)
        if other:
            end(other)
            other = None


def truncate(note, _):
    os.truncate(note, note.stat().st_size // 2)


def of_another_sysctl(note, _):
    words = note.read_text().split(" ")
    note.write_text(" ".join([*words[:3], "ipv4/tcp_syn_retries", "6", "5", *words[6:]]))


def of_any_namespace(note, _):
    words = note.read_text().split(" ")
    note.write_text(" ".join([words[0], "0", *words[2:]]))


def of_another_boot(note, _):
    note.write_text("0" + note.read_text()[1:] if note.read_text()[0] != "0" else "1" + note.read_text()[1:])


def of_another_user(note, _):
    note.chmod(0o644)
    os.chown(note, NOBODY, NOBODY)


def open_to_others(note, _):
    note.chmod(0o666)


def link(note, folder):
    shutil.move(note, folder / "elsewhere")
    note.symlink_to(folder / "elsewhere")


def fifo(note, _):
    note.unlink()
    os.mkfifo(note)


@pytest.mark.parametrize("forge", [truncate, of_another_sysctl, of_any_namespace, of_another_boot,
                                   of_another_user, open_to_others, link, fifo])
def test_what_subflowd_cannot_have_written_is_no_note(killed, forge):
    for note in notes(killed.daemon):
        if killed.client.name in note.read_text():
            forge(note, killed.directory)
    daemon = serving(killed, killed.server)
    daemon.start([killed.server])
    assert (pm_type(killed.client), pm_type(killed.server)) == (1, 1)
    assert ("is no note of what to put back" in daemon.log.read_text()) == (forge != of_another_boot)
    assert len(notes(daemon)) == 1
    end(daemon)
    assert pm_type(killed.server) == 0


def test_a_guardian_that_is_replaced_leaves_the_notes_to_the_next(served):
    before = [note.read_text() for note in notes(served.daemon)]
    guardian, = guardians(served)
    os.kill(guardian, signal.SIGKILL)
    wait_until(lambda: guardians(served) not in ([], [guardian]), "a new guardian")
    assert [note.read_text() for note in notes(served.daemon)] == before
    end(served.daemon)
    assert not notes(served.daemon)


def test_without_room_for_notes_it_serves_and_says_so(served):
    """Their place is taken by folders, which nothing of ours replaces."""
    end(served.daemon)
    (served.directory / f"{served.daemon.socket.name}.before.new").mkdir()
    served.daemon.start([served.client, served.server])
    assert served.daemon.log.read_text().count("cannot be put down beside the control socket") == 1
    end(served.daemon)
    assert pm_type(served.client) == pm_type(served.server) == 0
