# SPDX-License-Identifier: MIT
"""Whatever the daemon and the doctor may give as a reason stands in docs/troubleshooting.md."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j)?[a-zA-Z]")
# Shorter pieces of text than this say nothing.
LEAST = 8


def files(*patterns):
    return subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout.split()


def source(path):
    """Its text, with string literals that stand side by side in one."""
    return re.sub(r'"\s*"', "", re.sub(r'"\s*PRI\w+\s*"', "%u", (ROOT / path).read_text()))


def arguments(text, function):
    """What stands between the parentheses of each call."""
    for call in re.finditer(rf"\b{function}\(", text):
        depth, at, quoted = 1, call.end(), False
        while depth:
            character = text[at]
            if quoted and character == "\\":
                at += 1
            elif character == '"':
                quoted = not quoted
            elif not quoted:
                depth += (character == "(") - (character == ")")
            at += 1
        yield text[call.end():at - 1]


def literals(paths, functions):
    for path in paths:
        for function in functions:
            for call in arguments(source(path), function):
                yield from LITERAL.findall(call)


def decisions():
    yield from literals(files("daemon/core/*.c"), ["conn_say", "survey_refuse"])
    yield from literals(["daemon/kernel/scout.c"], ["survey_refuse", "silence"])
    yield from re.findall(r'return "([^"]+)"', source("daemon/kernel/scout.c"))
    yield from literals(["daemon/kernel/served.c", "daemon/kernel/takeover.c"], ["served_say"])
    for path in files("daemon/core/*.c"):
        yield from re.findall(r'why = "((?:[^"\\]|\\.)+)"', source(path))
    for path in ("daemon/control/connections.c", "daemon/control/status.c"):
        yield from re.findall(r'\bwhy = "([^"]+)"', source(path))


def logged():
    yield from literals(files("daemon/*.c", "daemon/kernel/*.c"), ["log_error", "log_warning"])
    for path in ("daemon/kernel/hooks.c", "daemon/lock.c"):
        for call in arguments(source(path), "snprintf"):
            if call.startswith("error,"):
                yield from LITERAL.findall(call)


def checks():
    for path in files("cli/check_*.c"):
        text = source(path)
        yield from re.findall(r'\{"([^"]+)", check_', text)
        for call in arguments(text, "doctor_found"):
            if "STATE_FAIL" in call or "STATE_WARN" in call:
                yield from LITERAL.findall(call)[-1:]


def piece(text):
    """The longest part of a format that is there whatever it is filled with."""
    parts = CONVERSION.split(text.replace('\\"', '"'))
    return max((part.strip(' ;:,()."') for part in parts), key=len)


def said():
    found = {piece(text) for text in [*decisions(), *logged()]} | {piece(t) for t in checks()}
    return sorted(text for text in found if len(text) >= LEAST or text in ("btf", "cgroup2"))


@pytest.mark.parametrize("text", said())
def test_it_is_in_the_guide(text):
    assert text in (ROOT / "docs/troubleshooting.md").read_text()


def test_reasons_are_found():
    """A source that cannot be read would have no reasons."""
    found = said()
    assert len(found) > 80
    for text in ("too small to split", "no router on the way answers", "cgroup-hooks",
                 "is missing: run subflowd as root"):
        assert text in found, text
