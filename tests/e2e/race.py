# SPDX-License-Identifier: MIT
"""Calls of setsockopt() that really race. Python's threads do not: the interpreter keeps its lock during such a
call, and passing it on takes longer than the call."""
import json
import struct
from collections import Counter

from conftest import BUILD

RACE = BUILD / "tests" / "e2e" / "race"


class Race:
    """What came of a race on the socket `s` of an application.

    calls: (option, value) of each; a thread draws one of them each time.
    rounds: all threads begin each at once, and make `burst` calls in it, one after the other.
    pause_us: after each round a thread waits, for a random time up to this.
    """

    def __init__(self, app, calls, threads, rounds=1, burst=1, pause_us=0):
        self.calls = [(option, value if isinstance(value, bytes) else struct.pack("=i", value))
                      for option, value in calls]
        words = [f"{option}:{value.hex()}" for option, value in self.calls]
        numbers = [str(number) for number in (threads, rounds, burst, pause_us)]
        app("import subprocess")
        result = json.loads(app(
            f"subprocess.run([{str(RACE)!r}, str(s.fileno()), *{numbers + words!r}],"
            " pass_fds=[s.fileno()], check=True, stdout=subprocess.PIPE, text=True).stdout"))
        self.least, self.most, self.overlaps = (result[name] for name in ("least", "most", "overlaps"))
        self.answers = Counter({(call, error): count for call, error, count in result["answers"]})
        assert self.answers.total() == threads * rounds * burst

    def answers_to(self, option, *values):
        """{errno: how often}; 0 for success."""
        values = [value if isinstance(value, bytes) else struct.pack("=i", value) for value in values]
        found = Counter()
        for (call, error), count in self.answers.items():
            if self.calls[call][0] == option and self.calls[call][1] in values:
                found[error] += count
        return found
