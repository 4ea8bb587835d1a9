"""Faults: many people vote while processes, PostgreSQL and Redis are killed; afterwards nothing may be lost.

`python -m tests.faults` runs it for long, `tests/test_faults/` for a short while. The parts:

    history, state              what people did and were told, what watchers saw, what is stored in the end
    checker                     judges both; a pure function, as are its parts, tested on made-up histories first:
    registers, memberships      what people were told and stands, and whether they had the right to it
    reference, hidden           what is staged, and what is shown too early
    cluster, services, process  PostgreSQL, Redis, web processes and workers of the run's own
    town, voters, watchers      who takes part
    wishes                      what they ask for
    nemesis                     what is done to the cluster
    witness                     reads, from the database itself, what happened there
    report                      what is told in the end
"""
