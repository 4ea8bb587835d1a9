"""The commands: every change of an input goes through one of these, whoever asks (pages, GraphQL, admin, imports).

Each checks the rules, writes in one transaction that holds the community's ledger, and raises a `DomainError` with
nothing written where a rule says no. `StageBallots` and `Tally` calculate; they change no input.
"""

from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots
from democracy.services.accounts import close_account
from democracy.services.ballots import RecordedBallot, cast_ballot, tag_ballot, withdraw_ballot
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
    update_decision,
)
from democracy.services.followings import follow, reorder_followings, unfollow
from democracy.services.idempotency import Sending, once, once_in_parts
from democracy.services.invitations import (
    create_invitation_link,
    resend_invitation,
    resend_invitations,
    revoke_invitation,
    revoke_invitation_link,
)
from democracy.services.inviting import Invited, Invitee, invite
from democracy.services.joining import Joined, accept_invitation, accept_own_invitation, use_invitation_link
from democracy.services.lifecycle import call_off, copy_decision, delete_draft, pin_decision, remind
from democracy.services.moderation import (
    hide_comment,
    hide_community,
    hide_community_text,
    hide_decision_text,
    show_again,
)
from democracy.services.notices import mark_notices_read, set_notice_preferences
from democracy.services.published_results import publish_result, withdraw_result
from democracy.services.recalculations import request_recalculation, request_recalculation_as_operator
from democracy.services.webhooks import create_webhook, delete_webhook, renew_webhook_secret, send_webhook_test

__all__ = [
    "ChoiceInput",
    "Invited",
    "Invitee",
    "Joined",
    "RecordedBallot",
    "Sending",
    "StageBallots",
    "Tally",
    "accept_invitation",
    "accept_own_invitation",
    "add_clarification",
    "apply_to_community",
    "call_off",
    "cast_ballot",
    "close_account",
    "copy_decision",
    "create_community",
    "create_decision",
    "create_invitation_link",
    "create_webhook",
    "decide_application",
    "delete_draft",
    "delete_webhook",
    "follow",
    "hide_comment",
    "hide_community",
    "hide_community_text",
    "hide_decision_text",
    "invite",
    "leave_community",
    "mark_notices_read",
    "once",
    "once_in_parts",
    "pin_decision",
    "publish_decision",
    "publish_result",
    "remind",
    "remove_member",
    "renew_webhook_secret",
    "reorder_followings",
    "request_recalculation",
    "request_recalculation_as_operator",
    "resend_invitation",
    "resend_invitations",
    "revoke_invitation",
    "revoke_invitation_link",
    "send_webhook_test",
    "set_anonymity",
    "set_notice_preferences",
    "show_again",
    "tag_ballot",
    "take_greeting",
    "unfollow",
    "update_community",
    "update_decision",
    "update_membership",
    "use_invitation_link",
    "withdraw_application",
    "withdraw_ballot",
    "withdraw_result",
]
