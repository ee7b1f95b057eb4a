# SPDX-License-Identifier: MIT
"""`subflow run`: what it preloads, hands down and warns of."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from cli import DEADLINE_S, NOBODY, PYTHON, SIGPIPES, SUBFLOW, fails, needs_root, subflow


def compile_c(path, source, *flags):
    subprocess.run(["cc", "-x", "c", "-", "-o", str(path), *flags], input=source, text=True,
                   check=True)
    os.chmod(path, 0o755)
    return path


@pytest.fixture(name="mark", scope="module")
def fixture_mark():
    """A preload object that only says that it was loaded."""
    with tempfile.TemporaryDirectory(prefix="sf-cli-") as folder:
        os.chmod(folder, 0o755)
        yield compile_c(pathlib.Path(folder) / "mark.so", """
            #include <unistd.h>
            __attribute__((constructor)) static void mark(void)
            {
                if (write(2, "loaded\\n", 7) < 0)
                    _exit(99);
            }
            """, "-shared", "-fPIC")


def test_run_program(mark):
    done = subflow("run", PYTHON, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)",
                   "--", "--help", "a b", SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stdout) == (7, "['--', '--help', 'a b']\n")
    assert done.stderr == "loaded\n"


def test_run_dashes_and_path(mark):
    done = subflow("run", "--", "sh", "-c", "echo $LD_PRELOAD", SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{mark}\n", "loaded\n")


def test_run_keeps_what_was_preloaded(mark, tmp_path):
    other = shutil.copy(mark, tmp_path / "other.so")
    # Set inside, or the dynamic linker would load it into subflow itself.
    done = subprocess.run([SUBFLOW, "run", "sh", "-c", "echo $LD_PRELOAD"], check=False,
                          capture_output=True, text=True, timeout=DEADLINE_S,
                          env={**os.environ, "LD_PRELOAD": str(other),
                               "SUBFLOW_PRELOAD": str(mark),
                               "ASAN_OPTIONS": "verify_asan_link_order=0"})
    assert done.stdout == f"{mark}:{other}\n"


def test_run_is_found_from_any_folder(mark, tmp_path):
    """A relative SUBFLOW_PRELOAD is made absolute: the program may go elsewhere."""
    shutil.copy(mark, tmp_path / "mark.so")
    done = subprocess.run([SUBFLOW, "run", "sh", "-c", "cd / && exec sh -c :"], cwd=tmp_path,
                          env={**os.environ, "SUBFLOW_PRELOAD": "mark.so"}, check=False,
                          capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stderr) == (0, "loaded\nloaded\n")


def test_run_errors(mark, tmp_path):
    fails(subflow("run", "/nonexistent/program", SUBFLOW_PRELOAD=str(mark)),
          "/nonexistent/program", "No such file", status=127)
    fails(subflow("run", "no-such-program-anywhere", SUBFLOW_PRELOAD=str(mark)),
          "no-such-program-anywhere", status=127)
    data = tmp_path / "data"
    data.write_text("no program")
    data.chmod(0o644)
    fails(subflow("run", data, SUBFLOW_PRELOAD=str(mark)), "Permission denied", status=126)
    fails(subflow("run", tmp_path, SUBFLOW_PRELOAD=str(mark)), str(tmp_path), status=126)
    fails(subflow("run", "true", SUBFLOW_PRELOAD="/nonexistent/x.so"), "/nonexistent/x.so",
          "SUBFLOW_PRELOAD", status=125)
    spaced = shutil.copy(mark, tmp_path / "a b.so")
    fails(subflow("run", "true", SUBFLOW_PRELOAD=str(spaced)), "space", status=125)
    assert subflow("run").returncode == 125
    assert subflow("run", "--nonsense", "true").returncode == 125


def test_run_warns_of_static_programs(mark, tmp_path):
    static = compile_c(tmp_path / "static", "int main(void) { return 3; }", "-static")
    done = subflow("run", static, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1 and "statically linked" in done.stderr
    script = tmp_path / "script"
    script.write_text(f"#!{static}\n")
    script.chmod(0o755)
    done = subflow("run", script, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 3 and "statically linked" in done.stderr


def test_run_does_not_warn_of_static_pie_loader(mark, tmp_path):
    """Position-independent programs that are linked dynamically are the usual case."""
    pie = compile_c(tmp_path / "pie", "int main(void) { return 4; }", "-pie", "-fPIE")
    done = subflow("run", pie, SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stderr) == (4, "loaded\n")


@pytest.mark.parametrize("junk", [b"\x7fELF", b"\x7fELF\x02\x01\x01" + b"\xff" * 200,
                                  b"#!", b"#! \n"],
                         ids=["cut", "ones", "no interpreter", "blank interpreter"])
def test_run_odd_files(mark, tmp_path, junk):
    odd = tmp_path / "odd"
    odd.write_bytes(junk)
    odd.chmod(0o755)
    done = subflow("run", odd, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode in (0, 2, 126, 127)


@needs_root
def test_run_warns_of_setuid_programs(mark, open_folder):
    setuid = compile_c(open_folder / "setuid", "int main(void) { return 5; }")
    setuid.chmod(0o4755)
    done = subflow("run", setuid, prefix=NOBODY, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 5 and "setuid" in done.stderr
    # To its owner it is a program like any other.
    done = subflow("run", setuid, SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stderr) == (5, "loaded\n")


@needs_root
def test_run_without_mptcp(mark, namespace):
    namespace.sysctl("net.mptcp.enabled=0")
    done = subflow("run", "sh", "-c", "exit 6", prefix=namespace.enter, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 6
    warning, loaded = done.stderr.splitlines()
    assert "no Multipath TCP here" in warning and loaded == "loaded"


def test_run_makes_sockets_mptcp():
    """The real object, found beside the build tree."""
    script = "import socket as s; print(s.socket().getsockopt(s.SOL_SOCKET, 38))"
    done = subflow("run", PYTHON, "-c", script)
    assert (done.stdout, done.stderr) == ("262\n", "")


@pytest.mark.parametrize("sigpipe, ignored", zip(SIGPIPES, (0, 1)))
def test_run_hands_down_how_sigpipe_is_taken(mark, sigpipe, ignored):
    done = subflow("run", "grep", "SigIgn", "/proc/self/status", prefix=sigpipe,
                   SUBFLOW_PRELOAD=str(mark))
    assert int(done.stdout.split()[1], 16) >> (signal.SIGPIPE - 1) & 1 == ignored
