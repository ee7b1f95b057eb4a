# SPDX-License-Identifier: MIT
"""What breaks in a fabric, and when: steps of a scenario.

    2:drop:leaf0:spine1     what leaf0 sends to spine1 is lost, and nobody is told
    2:cut:leaf0:spine1      both directions are lost
    2:die:spine1            every link of spine1 is lost
    3:notice                the routers route around what is lost, as their protocol would
    5:mend:leaf0:spine1, 5:revive:spine1
                            it works again, what was dropped as well; the routes stay as they are
                            until `notice`
"""
from dataclasses import dataclass

from lab.netns import LabError

LABELS = {"drop": 2, "cut": 2, "mend": 2, "die": 1, "revive": 1, "notice": 0}


@dataclass(frozen=True)
class Step:
    at_s: float  # after the first flow begins
    what: str
    where: tuple

    def happen(self, lab):
        if self.what == "drop":
            lab.black_hole(*self.where)
        elif self.what == "notice":
            lab.reroute()
        elif self.what in ("cut", "mend"):
            lab.lose(*self.where, on=self.what == "cut")
        else:
            (router,) = self.where
            for neighbour in lab.topology.neighbours(router):
                lab.lose(router, neighbour, on=self.what == "die")


def undo(steps, lab):
    """Everything works again, whatever of these steps has happened."""
    for step in steps:
        if step.what == "drop":
            lab.black_hole(*step.where, on=False)
    for a, b in [tuple(link) for link in lab.lost]:
        lab.lose(a, b, on=False)
    lab.reroute()


def parse(text, topology):
    """A Step from its text; LabError says what is wrong."""
    at, _, rest = text.partition(":")
    what, *where = rest.split(":")
    try:
        at_s = float(at)
    except ValueError:
        raise LabError(f"{text}: no time; write for instance 2:die:spine0") from None
    if what not in LABELS or len(where) != LABELS[what]:
        raise LabError(f"{text}: there are " + ", ".join(
            ":".join([name] + ["NODE"] * count) for name, count in LABELS.items()))
    nodes = set(topology.routers) | set(topology.hosts)
    for label in where:
        if label not in nodes:
            raise LabError(f"{text}: the topology has no {label}")
    if len(where) == 2 and where[1] not in topology.neighbours(where[0]):
        raise LabError(f"{text}: {where[0]} and {where[1]} are not linked")
    return Step(at_s, what, tuple(where))
