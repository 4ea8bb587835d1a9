"""The interpreter's settings for a process that answers requests while its threads calculate."""

from __future__ import annotations

import gc
import sys

# How long one thread may hold the interpreter while others wait, in seconds. Calculations are threads of the server's
# process, and with Python's default of 0.005 a request waits that long for each of them, again and again: with four
# busy threads the slowest of 100 requests took 68 times its normal time, with this value 10 times.
SWITCH_INTERVAL = 0.0005


def prepare() -> None:
    """To be called once, when everything is imported.

    What is there by then stays for good, and is left out of garbage collections from here on: looking through it again
    and again stopped every thread for 0.12 s, and was most of what the slowest votes waited for.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
