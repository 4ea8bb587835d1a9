"""Signals for measurements of recalculation. Without a listener sending one costs next to nothing.

Senders use `send_robust`: a failing measurement fails nothing else.
"""

from django.dispatch import Signal

# A community was woken. `folded`: it was waiting already.
woken = Signal()
# A community was offered to the queue. `outcome`: sent, waiting (a job for it waits already), failed, or paused (the
# queue failed a moment ago and was not asked).
job_offered = Signal()
# A run ended. `outcome`: calculated, lost (its claim, to another run), or error; `seconds`.
run_ended = Signal()
# A decision could not be calculated; the others of its run could.
decision_failed = Signal()
# The decisions of a run were staged, in `seconds`.
staged = Signal()
# They were tallied and stored, in `seconds`.
tallied = Signal()
# The inputs of a community were read for a calculation. `outcome`: loaded (all of them), caught_up (what the ledger had
# new), or current (it had nothing new).
inputs_read = Signal()
# A calculation was let go for want of memory.
let_go = Signal()
