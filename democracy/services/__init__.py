"""The commands: every change of an input goes through one of these, whoever asks (pages, GraphQL, admin, imports).

Each checks the rules, writes in one transaction that holds the community's ledger, and raises a `DomainError` with
nothing written where a rule says no. `StageBallots` and `Tally` calculate; they change no input.
"""

from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots
from democracy.services.accounts import close_account
from democracy.services.ballots import Receipt, cast_ballot, tag_ballot, withdraw_ballot
from democracy.services.communities import (
    apply_to_community,
    create_community,
    decide_application,
    leave_community,
    remove_member,
    set_anonymity,
    take_greeting,
    update_community,
    update_membership,
    withdraw_application,
)
from democracy.services.decisions import (
    ChoiceInput,
    add_clarification,
    create_decision,
    publish_decision,
    request_recalculation,
    request_recalculation_as_operator,
    update_decision,
)
from democracy.services.followings import follow, reorder_followings, unfollow

__all__ = [
    "ChoiceInput",
    "Receipt",
    "StageBallots",
    "Tally",
    "add_clarification",
    "apply_to_community",
    "cast_ballot",
    "close_account",
    "create_community",
    "create_decision",
    "decide_application",
    "follow",
    "leave_community",
    "publish_decision",
    "remove_member",
    "reorder_followings",
    "request_recalculation",
    "request_recalculation_as_operator",
    "set_anonymity",
    "tag_ballot",
    "take_greeting",
    "unfollow",
    "update_community",
    "update_decision",
    "update_membership",
    "withdraw_application",
    "withdraw_ballot",
]
