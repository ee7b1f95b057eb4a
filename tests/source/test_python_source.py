# SPDX-License-Identifier: MIT
"""subflow.py: typed, of the standard library alone, with the numbers and structures of subflow.h."""
import ast
import importlib.util
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "python" / "subflow.py"


def test_types_are_complete():
    checked = subprocess.run(
        ["/usr/bin/python3", "-m", "mypy", "--strict", "--cache-dir=/dev/null", MODULE],
        capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_needs_the_standard_library_only():
    nodes = list(ast.walk(ast.parse(MODULE.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert names
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_the_numbers_are_those_of_the_header():
    def numbers(text, pattern):
        return dict(re.findall(pattern, text, re.M))

    header = numbers((ROOT / "include" / "subflow.h").read_text(),
                     r"^#define (TCP_MULTIPATH_[A-Z]+)\s+(\d+)$")
    module = numbers(MODULE.read_text(), r"^(TCP_MULTIPATH_[A-Z]+) = (\d+)$")
    assert set(header) >= {"TCP_MULTIPATH_ENABLE", "TCP_MULTIPATH_ADD", "TCP_MULTIPATH_CONNID"}
    assert module == header


def test_everything_public_is_documented():
    tree = ast.parse(MODULE.read_text())
    exported = next(ast.literal_eval(node.value) for node in tree.body
                    if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    defined = {node.name: ast.get_docstring(node) for node in tree.body
               if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert ast.get_docstring(tree)
    for name, text in defined.items():
        if not name.startswith("_"):
            assert name in exported and text, name


@pytest.fixture(name="module")
def module_fixture(monkeypatch):
    """The module, with a kernel that keeps what was set last in `.was_set`."""
    spec = importlib.util.spec_from_file_location("subflow", MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def keep(_sock, option, value):
        module.was_set = option, value

    monkeypatch.setattr(module, "_set", keep)
    return module


IN4 = "0200 1389 0a000002 0000000000000000"
IN6 = "0a00 0000 00000000 20010db8000000000000000000000009 03000000"


@pytest.mark.parametrize("what, value", [
    (3, "03000000"),
    ([], ""),
    ([("10.0.0.2", 5001)], IN4),
    (["10.0.0.2"], IN4.replace("1389", "0000")),
    (iter([("2001:db8::9", 0, 0, 3), ("10.0.0.2", 5001), "10.0.0.2"]),
     IN6 + IN4 + IN4.replace("1389", "0000")),
    (["2001:db8::9"], IN6.replace(" 03000000", " 00000000")),
    ([("2001:db8::9", 5001, 7, 3)], IN6.replace("0000 00000000", "1389 00000007", 1)),
])
def test_values_are_packed_as_in_the_header(module, what, value):
    what = list(what) if not isinstance(what, int) else what
    for function, option in ((module.add, 10003), (module.remove, 10004)):
        function(None, what)
        assert module.was_set == (option, bytes.fromhex(value))


def test_totals_and_backups_are_packed_as_in_the_header(module):
    module.set_ndiffports(None, 4)
    assert module.was_set == (10007, bytes.fromhex("04000000"))
    module.set_expected(None, 2**64 - 2)
    assert module.was_set == (10009, bytes.fromhex("feffffffffffffff"))
    module.set_intent(None, module.Intent.INTERACTIVE)
    assert module.was_set == (10010, bytes.fromhex("02000000"))
    module.set_backup(None, ("10.0.0.2", 5001))
    assert module.was_set == (10008, bytes.fromhex(IN4 + "00" * 12 + "01000000"))
    module.set_backup(None, ("2001:db8::9", 0, 0, 3), False)
    assert module.was_set == (10008, bytes.fromhex(IN6 + "00000000"))


@pytest.mark.parametrize("what", ["10.0.0.2", ("10.0.0.2", 5001), [("10.0.0.2", 65536)],
                                  ["nowhere"], [("10.0.0.2", 0, 0, 0)], [7], 2**31])
def test_what_is_no_list_of_addresses_is_not_sent(module, what):
    with pytest.raises((TypeError, ValueError, OSError, struct.error)):
        module.add(None, what)
    assert not hasattr(module, "was_set")
