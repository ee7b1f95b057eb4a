# SPDX-License-Identifier: MIT
"""The picture of a transfer: throughput over time, stacked by path, each new subflow marked."""
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402: the backend comes first

from lab import measure  # noqa: E402

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")


def draw(samples, paths, thresholds, title, files):
    """samples: of the transfer. thresholds: [{"bytes", "subflows"}]."""
    origin = samples[0].time_s
    # Steps: a rate belongs to the whole time between two samples.
    times = [s.time_s - origin for pair in zip(samples, samples[1:]) for s in pair]
    steps = [measure.rates(*pair) for pair in zip(samples, samples[1:]) for _ in pair]
    figure, axes = pyplot.subplots(figsize=(10, 5))
    axes.stackplot(times, list(zip(*steps)), labels=paths, colors=COLOURS, linewidth=0)
    top = 1.18 * max(sum(step) for step in steps)
    for early, late in measure.splits(samples):
        when = (early.time_s + late.time_s) / 2 - origin
        axes.axvline(when, color="black", linestyle="--", linewidth=1)
        split = thresholds[late.splits - 1]
        axes.text(when, top * 0.99, f" {split['bytes'] / 1e6:.0f} MB\n {split['subflows']} subflows",
                  va="top")
    axes.set(xlabel="seconds", ylabel="Mbit/s, by the routers' counters", title=title,
             xlim=(0, times[-1]), ylim=(0, top))
    axes.legend(loc="upper left")
    figure.tight_layout()
    for file in files:
        figure.savefig(file, dpi=120)
    pyplot.close(figure)
