# SPDX-License-Identifier: MIT
"""What a run has to fulfil before its figures count; one that does not is thrown away."""
import dataclasses
import re

IDLE_MIN = 0.15
# Of the rate of the links that one flow passes: less, and the machine is the bottleneck.
CEILING_MIN = 0.94
# Of the connections of a mix. Where the queues drop the third ACK of a handshake and the first data,
# MPTCP itself goes on as TCP (MPCapableFallbackACK): about 1 % of short flows on a full fabric.
FALLBACKS_OF_MIX = 0.03
CONTROL_BYTES = 1000
# subflowd's counters of joins that take the place of a subflow, or are one that was there before.
REPLACING = ("repairs", "replaced", "moved", "moves_failed", "last_hop_given")
# core/repair.h: of one connection, in so many seconds.
REPAIRS_MOST, REPAIRS_WINDOW_S = 8, 10
# core/command.c: how often one subflow is tried.
TRIES_MOST = 8
# [apart] moves and [fairness] last_hop: of one connection, in so many seconds.
MOVES_MOST, HOLD_S = 2, 60
# [benefit] tries: replacements of one subflow on trial, for each threshold.
TRIALS_MOST = 2
# core/lag.c: questions in a second of all connections, of which a round has one at least. core/lasthop.c:
# questions a round.
ROUNDS_A_S, REACHES_A_ROUND = 400, 2
# [placement] probes_per_second, of which a second's worth may have been saved.
PROBES_A_S = 1000
# The counters are read so long after the last sample, at most.
LATE_S = 2

# (what is said of a missed gate, what to do about it); what may be the cause of others comes first.
REMEDIES = (
    ("subflowd ended|subflowd did not answer", "see what it said last, which is a fault of subflowd or of the machine's memory"),
    ("of the CPU was idle|the ceiling, ", "stop what else runs here, or take a lower --rate or a smaller fabric"),
    ("steps came too late", "let it break earlier (--fail), or take more --seconds or --size"),
    ("the trouble did not come about", "take more --size, so that flows are there when it comes"),
    (r"flows failed \(.* did not end in time", "take a lower --load or --size: that is more than these links carry"),
    (r"flows failed \((?!\d+ did not end)", "what is in brackets is the word of who carried it: see to that first"),
    ("joins were rejected", "see that the system's subflowd serves every host: a receiver rejects joins when nobody"
     " there is to accept them, or when it has as many as it may"),
    ("joins and not ", "run it again, since a lost SYN is a subflow too few; if it stays so, the system does not keep"
     " what its joins() and least_joins() promise"),
    ("fell back to TCP", "run it again, or with a lower --load: full queues drop what the handshake needs"),
    ("and not at most ", "it is no fault of the machine: subflowd does more than the trouble is worth, which is a finding"),
    ("the congestion control of", "let nothing else set net.ipv4.tcp_congestion_control in these namespaces"),
)


def remedy(missed):
    """What to do about a run of which this was said, for people."""
    return "; ".join(what for said, what in REMEDIES if re.search(said, missed)) or "run it again"


def fallbacks(changes):
    """Connections that went on as TCP. Each end may count one, under names of its own."""
    return max((value for name, value in changes.items() if "Fallback" in name), default=0)


def intended(system, flows, rule, topology, program=None):
    """(least, most) subflows beyond the first ones. Least: of the flows that last long enough. How many
    of the many flows of a mix end before they have theirs is a result, and no gate."""
    lasting = [flow for flow in flows if not flow.bytes or flow.bytes >= rule.stop + rule.step]
    least = sum(system.least_joins(topology, flow, rule) for flow in lasting)
    if len(flows) > 1 and any(flow.bytes for flow in flows):
        least = min(least, 1)
    if program and program.has_control:
        flows = flows + [dataclasses.replace(flow, bytes=CONTROL_BYTES) for flow in flows]
    return least, sum(system.joins(topology, flow, rule) for flow in flows)


def strays(changes, flows):
    """Joins and connections that did not become what they were to be."""
    found = []
    if changes.get("MPJoinRejected"):
        found.append(f"{changes['MPJoinRejected']} joins were rejected")
    is_mix = any(flow.bytes for flow in flows)
    if fallbacks(changes) > (FALLBACKS_OF_MIX * len(flows) if is_mix else 0):
        found.append(f"{fallbacks(changes)} connections fell back to TCP")
    return found


def missed_joins(result, least, most):
    """A subflow that fell silent, as on a busy machine, or did not help, and was replaced is one more
    join; so is one that was moved to another path, or was to be. One that was not opened because the
    last link held its elephant back is one less."""
    joins = result["mptcp"].get("MPJoinSynAckRx", 0)
    most += sum(result["counters"].get(name, 0) for name in REPLACING)
    least -= result["counters"].get("last_hop_withheld", 0)
    if least <= joins <= most:
        return []
    return [f"{joins} joins and not {least}" + (f" to {most}" if most > least else "")]


def repairs_most(seconds):
    """How often a subflow of one connection may be replaced because its path is dead."""
    return REPAIRS_MOST * (1 + int(seconds // REPAIRS_WINDOW_S))


def storms(result, joins, connections, trouble):
    """What subflowd did too often in a trouble; `joins`: how many subflows were promised."""
    counters = {**result["counters"],
                "moves": result["counters"]["moved"] + result["counters"]["moves_failed"]}
    seconds = result["seconds"] + LATE_S
    holds = 1 + int(seconds // HOLD_S)
    due = joins + sum(map(counters.get, REPLACING))
    most = {"creates": due + counters["retries"], "retries": TRIES_MOST * due,
            "repairs": repairs_most(result["seconds"]) * connections,
            "moves": MOVES_MOST * holds * connections,
            "replaced": TRIALS_MOST * (joins + counters["last_hop_given"]),
            "last_hop_taken": (joins + connections) * holds, "last_hop_given": counters["last_hop_taken"],
            "last_hop_asked": REACHES_A_ROUND * counters["rounds"],
            "rounds": round(ROUNDS_A_S * seconds), "probes": round(PROBES_A_S * (seconds + 1)),
            **{name: times * connections for name, times in trouble.bounds.items()}}
    found = [f"{counters[name]} {name} and not at most {times}" for name, times in most.items()
             if counters[name] > times]
    share = result["daemon_cpu_s"] / result["seconds"]
    if share > trouble.cpu_most:
        found.append(f"subflowd took {share:.0%} of a CPU and not at most {trouble.cpu_most:.0%}")
    return found


def absent(result):
    """A trouble that nobody felt shows nothing."""
    signs = result["signs"]
    return [f"the trouble did not come about: no {' or '.join(signs)}"] if signs and not any(
        signs.values()) else []


def missed(result, system, flows, scenario, lab, program=None):
    """Why this run does not count; [] when it does."""
    found, changes = [], result["mptcp"]
    if result["cpu_idle"] < IDLE_MIN:
        found.append(f"only {result['cpu_idle']:.0%} of the CPU was idle")
    least, most = intended(system, flows, scenario.rule, lab.topology, program)
    if left := result["steps_left"]:
        found.append(f"{len(left)} steps came too late ({left[0]})")
    if result["silence"]:
        found.append(result["silence"])
    if scenario.trouble:
        found += absent(result)
        if result["silence"] == "":
            found += storms(result, most, len(flows), scenario.trouble)
    else:
        found += missed_joins(result, least, most) + strays(changes, flows)
    if result["failed"]:
        found.append(f"{len(result['failed'])} flows failed ({result['failed'][0]['error']})")
    wrong = [label for label in lab.topology.hosts
             if lab.nodes[label].control() != lab.congestion_control]
    if wrong:
        found.append(f"the congestion control of {wrong[0]} is not {lab.congestion_control}")
    return found


def missed_cpu_only(result):
    """Whether all that is wrong with a run is that others used the machine as well."""
    return (result["cpu_idle"] < IDLE_MIN and bool(result["discarded"])
            and "; " not in result["discarded"])
