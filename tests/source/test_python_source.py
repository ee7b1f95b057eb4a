# SPDX-License-Identifier: MIT
"""subflow.py: typed, of the standard library alone, with the numbers of subflow.h."""
import ast
import re
import subprocess
import sys
from pathlib import Path

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
