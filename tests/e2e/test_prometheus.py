# SPDX-License-Identifier: MIT
"""examples/prometheus.py: what it prints is what Prometheus reads, and what the daemon says."""
import json
import os
import re
import subprocess

from app import NOBODY
from cli import PYTHON, STATUS, FeignedDaemon
from conftest import ROOT

SCRIPT = ROOT / "examples" / "prometheus.py"
TYPE = re.compile(r"# TYPE (subflow_\w+) (gauge|counter|histogram)")
SAMPLE = re.compile(r'(subflow_\w+)(\{\w+="(?:[^"\\]|\\.)*"(?:,\w+="(?:[^"\\]|\\.)*")*\})? ([0-9.e+-]+)')


def collected(path, prefix=()):
    """{name and labels: value}, after each line was read as Prometheus does."""
    done = subprocess.run([*prefix, PYTHON, "-"], input=SCRIPT.read_text(), capture_output=True,
                          text=True, check=True, env={**os.environ, "SUBFLOW_SOCKET": str(path)})
    kinds, samples = {}, {}
    for line in done.stdout.splitlines():
        if kind := TYPE.fullmatch(line):
            assert kind[1] not in kinds
            kinds[kind[1]] = last = kind[2]
            family = kind[1]
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups(default="")
        assert name == family or last == "histogram" and name.startswith(f"{family}_"), line
        assert (last == "counter") == name.endswith("_total"), line
        assert name + labels not in samples, line
        samples[name + labels] = float(value)
    return samples


def test_every_figure_of_the_daemon(served):
    found = collected(served.daemon.socket, ["setpriv", f"--reuid={NOBODY}", "--clear-groups"])
    daemon = served.daemon.status()["daemon"]
    assert found["subflow_up"] == 1
    assert found['subflow_namespaces{state="served"}'] == 2
    for name in daemon["counters"]:
        assert f"subflow_{name}_total" in found or f"subflow_{name}" in found, name
    for name, table in daemon["tables"].items():
        assert found[f'subflow_table_limit{{table="{name}"}}'] == table["limit"]
    assert found['subflow_create_seconds_bucket{le="+Inf"}'] == found["subflow_create_seconds_count"]
    advised = re.findall(r"\bsubflow_\w+", (ROOT / "docs" / "operating.md").read_text())
    assert advised and set(advised) <= {name.partition("{")[0] for name in found}


def test_labels_and_histograms(tmp_path):
    daemon = {**STATUS["daemon"], "version": 'a"\\\n', "source": "bpf",
              "create_us": {"count": 4, "sum": 90, "buckets": [
                  {"le": 10, "count": 1}, {"le": 20, "count": 1}, {"le": None, "count": 2}]}}
    with FeignedDaemon(tmp_path / "control", json.dumps({**STATUS, "daemon": daemon}).encode()):
        found = collected(tmp_path / "control")
    assert found[r'subflow_info{version="a\"\\\n",source="bpf"}'] == 1
    assert [found[f'subflow_create_seconds_bucket{{le="{le}"}}'] for le in ("1e-05", "2e-05", "+Inf")] == [1, 2, 4]
    assert found["subflow_create_seconds_sum"] == 9e-5
    assert found["subflow_records_lost_total"] == 2
    assert found['subflow_table_refused_total{table="clients"}'] == 4


def test_no_daemon_is_a_figure_too(tmp_path):
    assert collected(tmp_path / "nobody") == {"subflow_up": 0}
    with FeignedDaemon(tmp_path / "control", b'{"error": "later"}'):
        assert collected(tmp_path / "control") == {"subflow_up": 0}
