# SPDX-License-Identifier: MIT
"""What the links of any fabric leave endless flows at best: the ceiling where links are not all alike.

Max-min among whole flows, each on all of its shortest paths at once, with on each of them what is best for
all: nobody can have more but from one who has no more himself. Of TCP it knows as little as model.py.
"""
import numpy

TINY = 1e-9
# So much more a flow that has its share is worth than the one that is to have most.
FIRST = 1e3
# Of a Mbit/s: no two limits are alike, so that the simplex does not turn in circles.
APART = 1e-6


def paths(topology, source, target):
    """The shortest ones between two hosts, each as its links, "from>to"."""
    hops = topology.next_hops(target)

    def ways(label):
        if label == target:
            return [[]]
        return [[f"{label}>{hop}", *rest] for hop in hops[label] for rest in ways(hop)]

    return [[f"{source}>{router}", *rest] for router in topology.neighbours(source) for rest in ways(router)]


def maximise(goal, rows, limits):
    """The simplex: (x for which goal @ x is most, where rows @ x <= limits and 0 <= x; what one more of each limit
    would add to that). limits: none is below 0, and there is an end to goal @ x."""
    count, size = rows.shape
    table = numpy.hstack([rows, numpy.eye(count), limits[:, None] + APART * numpy.arange(1, count + 1)[:, None]])
    last = numpy.concatenate([-goal, numpy.zeros(count + 1)])
    basis = numpy.arange(size, size + count)
    while last[enters := int(numpy.argmin(last[:-1]))] < -TINY:
        column = table[:, enters]
        room = numpy.divide(table[:, -1], column, out=numpy.full(count, numpy.inf), where=column > TINY)
        leaves = int(numpy.argmin(room))
        basis[leaves] = enters
        table[leaves] /= column[leaves]
        others = numpy.arange(count) != leaves
        table[others] -= numpy.outer(table[others, enters], table[leaves])
        last = last - last[enters] * table[leaves]
    found = numpy.zeros(size + count)
    found[basis] = table[:, -1]
    return found[:size], last[size:-1]


def shares(passed, carries, owners):
    """Of each flow; passed: [links][paths], owners: whose path each is. All grow alike until some can grow no more,
    which have their share then; then the others go on."""
    flows = owners.max() + 1
    has = (owners == numpy.arange(flows)[:, None]).astype(float)
    found = numpy.full(flows, numpy.inf)
    while (live := numpy.isinf(found)).any():
        # Variables: what goes by each path; of each flow what it has of its share; what each of the others has.
        told = numpy.hstack([numpy.diag(~live), live[:, None]])
        limit = numpy.hstack([numpy.zeros((flows, len(owners))), numpy.eye(flows), numpy.zeros((flows, 1))])[~live]
        rows = numpy.vstack([numpy.hstack([passed, numpy.zeros((len(passed), flows + 1))]),
                             numpy.hstack([-has, told]), limit])
        goal = numpy.concatenate([numpy.zeros(len(owners)), numpy.where(live, 0, FIRST), [1]])
        best, worth = maximise(goal, rows, numpy.concatenate([carries, numpy.zeros(flows), found[~live]]))
        found[live & (worth[len(passed):len(passed) + flows] > TINY)] = best[-1]
    return found


def rates(topology, flows):
    """[Mbit/s of each of these endless flows]; inf: of one that meets no link with a rate."""
    carries = {f"{a}>{b}": rate for x, y, rate in topology.links if rate for a, b in ((x, y), (y, x))}
    place = {link: number for number, link in enumerate(carries)}
    shaped = [[[place[link] for link in path if link in place]
               for path in paths(topology, topology.hosts[flow.source], topology.hosts[flow.target])] for flow in flows]
    bound = [number for number, ways in enumerate(shaped) if all(ways)]
    found = numpy.full(len(flows), numpy.inf)
    if bound:
        owners = numpy.repeat(numpy.arange(len(bound)), [len(shaped[number]) for number in bound])
        passed = numpy.zeros((len(place), len(owners)))
        for column, links in enumerate(way for number in bound for way in shaped[number]):
            passed[links, column] = 1
        found[bound] = shares(passed, numpy.array(list(carries.values()), dtype=float), owners)
    return found
