# SPDX-License-Identifier: MIT
"""For `subflow-lab --with`: runs that show what the command does. What they measure is not the matter."""
import dataclasses
import functools

from lab import ceiling, experiment

experiment.Scenario = functools.partial(experiment.Scenario, settle_s=.5)
ceiling.SCENARIO = dataclasses.replace(ceiling.SCENARIO, settle_s=.5, window_s=.5)
