"""Has sgqlc query and vote, by the module that its generator made: `python with_sgqlc.py URL TOKEN DECISION CHOICE`.

CHOICE is the position of the choice that gets five stars. Prints what it got, as JSON.
"""

from __future__ import annotations

import json
import sys

import made_by_sgqlc as made
from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.operation import Operation

_, url, token, decision_id, position = sys.argv
endpoint = HTTPEndpoint(url, {} if token == "-" else {"Authorization": f"Bearer {token}"})

asking = Operation(made.Query)
decision = asking.decision(id=decision_id)
decision.title()
decision.choices.id()
decision.choices.title()
asking.me.handle()
got = asking + endpoint(asking)

wanted = got.decision.choices[int(position)]
voting = Operation(made.Mutation)
ballot = voting.cast_vote(
    input=made.CastVoteInput(decision_id=decision_id, stars=[made.StarsInput(choice_id=wanted.id, stars=5)])
)
ballot.receipt()
ballot.errors.code()
vote = (voting + endpoint(voting)).cast_vote
sys.stdout.write(
    json.dumps(
        {
            "title": got.decision.title,
            "me": got.me.handle if got.me else None,
            "receipt": vote.receipt,
            "errors": [error.code for error in vote.errors],
        }
    )
)
