# SPDX-License-Identifier: MIT
"""Networks in namespaces to show and to test Subflow in: labs, fabrics, measurements, the demo."""
