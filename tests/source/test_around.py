# SPDX-License-Identifier: MIT
"""Whatever the operator's guide says of what goes wrong around the daemon, a test does to it."""
import re
from pathlib import Path

import pytest
from test_troubleshooting import ROOT

# The rows of "What goes wrong around it", and the tests of each.
TESTS = {
    "a second daemon": ["e2e/test_daemon.py::test_a_second_daemon_is_refused",
                        "e2e/test_two_daemons.py::test_the_second_leaves_alone_what_the_first_serves"],
    "a wrong configuration": ["e2e/test_daemon.py::test_a_bad_config_names_file_line_key_and_what_is_allowed",
                              "e2e/test_orders.py::test_reload", "e2e/test_orders.py::test_config_test",
                              "e2e/test_orders.py::test_a_damaged_file_is_no_configuration",
                              "e2e/test_daemon.py::test_an_empty_config_is_the_defaults_at_the_start_alone"],
    "a full disk, or a log that nobody reads": [
        "e2e/test_full_disk.py::test_the_daemon_goes_on_and_says_what_was_lost",
        "e2e/test_daemon.py::test_it_outlives_whoever_reads_its_log"],
    "a control client that stalls, or many of them": [
        "e2e/test_control.py::test_a_client_that_stalls_keeps_nobody_waiting",
        "e2e/test_control.py::test_who_asks_all_the_time_waits_and_nobody_else",
        "e2e/test_control.py::test_a_client_that_stalls_in_its_answer_is_given_up",
        "e2e/test_memory.py::test_an_answer_leaves_nothing_behind",
        "e2e/test_control.py::test_many_users_do_not_end_what_an_operator_watches",
        "e2e/test_control.py::test_who_comes_all_the_time_is_hung_up_on_and_nobody_else",
        "e2e/test_bounds.py::test_more_clients_than_there_is_room_for",
        "e2e/test_watch.py::test_a_slow_watcher_is_told_what_it_missed"],
    "a request that is too long, or none": ["e2e/test_daemon.py::test_garbage_on_the_control_socket_does_no_harm"],
    "an application that floods the options": ["e2e/test_flood_latency.py::test_a_flood_of_one_user_keeps_no_other_waiting",
                                               "e2e/test_flood.py::test_the_calls_of_one_user_are_bounded"],
    "a namespace that vanishes, at whatever moment": [
        "e2e/test_vanishing.py::test_namespaces_that_vanish_at_any_moment",
        "e2e/test_namespaces.py::test_a_namespace_that_vanishes_while_in_use"],
    "namespaces that come and go without end, with `serve = all`": [
        "unit/kernel/test_served.c::a_look_is_followed_by_a_rest_of_ten_times_its_cost",
        "unit/kernel/test_served.c::changes_of_mounts_wait_too",
        "unit/kernel/test_served.c::names_do_not_wait_for_processes",
        "unit/kernel/test_served.c::another_way_in_is_looked_for_after_the_rest",
        "unit/kernel/test_served.c::an_end_costs_no_look",
        "e2e/test_containers.py::test_two_hundred_short_lived_ones_leave_nothing_behind"],
    "a folder or a lock that somebody else may replace": [
        "e2e/test_daemon.py::test_a_socket_where_others_may_write_is_refused"],
    "packets on a captured interface are cut, forged or contradict themselves": [
        "e2e/test_forged.py::test_packets_that_are_cut_or_contradict_themselves",
        "e2e/test_forged.py::test_what_the_kernel_has_not_counted_is_no_elephant",
        "e2e/test_forged.py::test_a_flood_of_flows_fills_one_table_and_no_more"],
    "the kernel contradicts what the daemon knows": [
        "e2e/test_adoption.py::test_events_that_the_kernel_dropped_are_made_up_for",
        "unit/core/test_plan_adoption.c::what_is_not_listed_is_forgotten",
        "unit/core/test_plan_contradictions.c::answers_to_what_was_not_asked_change_nothing"],
    "malformed messages and records": ["unit/kernel/test_ring.c::what_is_not_of_the_form_is_dropped_and_counted",
                                       "unit/kernel/test_monitor.c::counts_what_is_not_of_the_form",
                                       "e2e/test_probing.py::test_a_flood_of_icmp_leaves_the_map_right",
                                       "fuzz/fuzz_record.c::LLVMFuzzerTestOneInput",
                                       "fuzz/fuzz_pm.c::LLVMFuzzerTestOneInput",
                                       "fuzz/fuzz_icmp.c::LLVMFuzzerTestOneInput"],
    "a flood of forged ICMP": ["e2e/test_probing.py::test_a_flood_of_icmp_leaves_the_map_right",
                               "e2e/test_probing.py::test_a_flood_of_icmp_costs_little_cpu"],
    "a peer, or something between, that resets joins": ["e2e/test_reset_reasons.py::test_one_for_good_is_the_last",
                                                        "e2e/test_reset_reasons.py::"
                                                        "test_after_a_transient_one_others_are_tried"],
    "a layer-4 balancer (IPVS, kube-proxy) that sends joins to another host": [
        "e2e/test_balancer.py::test_joins_that_reach_another_host_are_given_up",
        "e2e/test_balancer.py::test_a_backend_that_is_retired_keeps_its_connection_and_gets_no_joins",
        "e2e/test_balancer.py::test_many_connections_make_no_storm"],
    "a table is full": ["e2e/test_bounds.py::test_more_connections_than_the_daemon_has_room_for",
                        "e2e/test_bounds.py::test_more_addresses_than_a_namespace_may_have",
                        "e2e/test_bounds.py::test_more_users_than_are_counted"],
    "the daemon is killed": ["e2e/test_restart.py::test_twenty_kills_under_traffic",
                             "e2e/test_namespaces.py::test_what_was_set_is_put_back",
                             "e2e/test_killed_both.py::test_what_was_there_before_is_put_back_in_the_end",
                             "e2e/test_daemon.py::test_after_its_end_connections_live_and_options_are_gone"],
}


def rows():
    section = (ROOT / "docs/troubleshooting.md").read_text().partition("## What goes wrong around it\n")[2]
    lines = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    return [line for line in lines if line != "what"]


def test_every_row_has_its_tests():
    assert sorted(rows()) == sorted(TESTS)


@pytest.mark.parametrize("test", sorted(test for tests in TESTS.values() for test in tests))
def test_it_is_there(test):
    file, _, name = test.partition("::")
    text = (Path(__file__).parents[1] / file).read_text()
    assert re.search(rf"^(def|static void|int) {name}\(", text, re.M)
