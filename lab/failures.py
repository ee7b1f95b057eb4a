# SPDX-License-Identifier: MIT
"""What breaks in a fabric, and when: steps of a scenario.

    2:drop:leaf0:spine1     what leaf0 sends to spine1 is lost, and nobody is told
    2:cut:leaf0:spine1      both directions are lost
    2:die:spine1            every link of spine1 is lost
    2:lossy:spine1          one packet in fifty of what spine1 is sent is lost
    2:spray:leaf0           leaf0 chooses a way for each packet by lot: flows are reordered
    2:refuse:host1          host1 resets every join
    3:notice                the routers route around what is cut or dead, as their protocol would
    5:mend:leaf0:spine1, 5:revive:spine1
                            it works again, whatever was wrong with it; the routes stay as they are
                            until `notice`
"""
import math
from dataclasses import dataclass

from lab.netns import LabError

LABELS = {"drop": 2, "cut": 2, "mend": 2, "die": 1, "lossy": 1, "spray": 1, "refuse": 1, "revive": 1,
          "notice": 0}
ROUTERS_ONLY, HOSTS_ONLY = ("spray",), ("refuse",)
BY_NFTABLES = ("spray", "refuse")
LOSS = .02


@dataclass(frozen=True)
class Step:
    at_s: float  # after the first flow begins; 0: before that
    what: str
    where: tuple

    def __str__(self):
        return ":".join((f"{self.at_s:g}", self.what, *self.where))

    def happen(self, lab):
        if self.what == "drop":
            lab.black_hole(*self.where)
        elif self.what == "notice":
            lab.reroute()
        elif self.what in ("cut", "mend"):
            lab.lose(*self.where, on=self.what == "cut")
        elif self.what == "spray":
            lab.spray(*self.where)
        elif self.what == "refuse":
            lab.refuse_joins(*self.where)
        else:
            self._touch_links(lab, *self.where)

    def _touch_links(self, lab, label):
        for neighbour in lab.topology.neighbours(label):
            if self.what == "lossy":
                lab.drop(neighbour, label, LOSS)
            else:
                lab.lose(label, neighbour, on=self.what == "die")
        if self.what == "revive":
            lab.calm(label)


def takes_nftables(texts):
    """Whether one of these steps is made by filters of nftables."""
    return any(text.split(":")[1:2] == [what] for text in texts for what in BY_NFTABLES)


def told(texts, most=4):
    """Steps for people: the first ones, and how many more."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def parse(text, topology):
    """A Step from its text; LabError says what is wrong."""
    at, _, rest = text.partition(":")
    what, *where = rest.split(":")
    try:
        at_s = float(at)
    except ValueError:
        at_s = math.nan
    if not 0 <= at_s < math.inf:
        raise LabError(f"{text}: no time; write for instance 2:die:spine0")
    if what not in LABELS or len(where) != LABELS[what]:
        raise LabError(f"{text}: there are " + ", ".join(
            ":".join([name] + ["NODE"] * count) for name, count in LABELS.items()))
    nodes = set(topology.routers) | set(topology.hosts)
    for label in where:
        if label not in nodes:
            raise LabError(f"{text}: the topology has no {label}")
    if what in ROUTERS_ONLY and where[0] not in topology.routers:
        raise LabError(f"{text}: {where[0]} is no router")
    if what in HOSTS_ONLY and where[0] not in topology.hosts:
        raise LabError(f"{text}: {where[0]} is no host")
    if len(where) == 2 and where[1] not in topology.neighbours(where[0]):
        raise LabError(f"{text}: {where[0]} and {where[1]} are not linked")
    return Step(at_s, what, tuple(where))
