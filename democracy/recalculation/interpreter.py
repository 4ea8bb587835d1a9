"""The interpreter's settings for a process that answers requests while its threads calculate."""

from __future__ import annotations

import gc
import sys

# Seconds for which one thread may hold the interpreter while others wait. Calculations are threads of the server's
# process, and with Python's default of 0.005 a request waits that long for each of them, again and again: with four
# busy threads the slowest of 100 requests took 68 times its normal time, with this value 10 times.
SWITCH_INTERVAL = 0.0005


def prepare() -> None:
    """Prepare the interpreter. Call this once, when everything is imported.

    Objects that exist by then stay for good, and are left out of garbage collections: going through them again and
    again stopped every thread for 0.12 s, which was most of the time that the slowest votes waited.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
