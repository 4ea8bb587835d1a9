"""The codes of refusals, of all apps: what a program can act on.

Each belongs to an error in `accounts.errors`, `democracy.errors` or beside the code that raises it.
"""

from __future__ import annotations

from enum import Enum

import strawberry

_code = strawberry.enum_value


@strawberry.enum(description="Why a mutation was refused, for programs.")
class ErrorCode(Enum):
    ADDRESS_TAKEN = _code("ADDRESS_TAKEN", description="Somebody else signs in with this e-mail address.")
    ALREADY_DECIDED = _code("ALREADY_DECIDED", description="The application has been decided or withdrawn.")
    ALREADY_MEMBER = _code("ALREADY_MEMBER", description="Whoever would join is a member.")
    ANONYMITY_NEEDS_CONFIRMATION = _code(
        "ANONYMITY_NEEDS_CONFIRMATION",
        description="Becoming anonymous ends followings; the message counts them. Send it again with `confirmed`.",
    )
    BALLOTS_HIDDEN = _code("BALLOTS_HIDDEN", description="The answer would tell of ballots that are hidden now.")
    CHANGED_MEANWHILE = _code(
        "CHANGED_MEANWHILE", description="It changed after the revision in `ifRevision`. Read it again first."
    )
    CHOICES_FROZEN = _code("CHOICES_FROZEN", description="The choices of a published decision stay as they are.")
    CLOSING_MOVES_LATER_ONLY = _code(
        "CLOSING_MOVES_LATER_ONLY", description="The closing of a published decision can only move later."
    )
    CLOSING_NEEDS_CONFIRMATION = _code(
        "CLOSING_NEEDS_CONFIRMATION", description="Closing an account cannot be undone. Send it again with `confirmed`."
    )
    COMMUNITY_HIDDEN = _code("COMMUNITY_HIDDEN", description="The site's operator has hidden the community.")
    DECISION_CALLED_OFF = _code("DECISION_CALLED_OFF", description="The decision was called off: no vote counts.")
    DECISION_CLOSED = _code("DECISION_CLOSED", description="Voting is over.")
    DECISION_NOT_OPEN = _code("DECISION_NOT_OPEN", description="Voting has not begun; the message says when it will.")
    DEMO_ACCOUNT = _code("DEMO_ACCOUNT", description="Everybody may sign in to this account, so nobody may change it.")
    EMPTY_BALLOT = _code("EMPTY_BALLOT", description="A ballot rates at least one choice, or abstains.")
    FAULTY_LINES = _code("FAULTY_LINES", description="Lines of a list are wrong; each message names its line.")
    HANDLE_TAKEN = _code("HANDLE_TAKEN", description="Somebody else has this handle.")
    INVALID = _code("INVALID", description="An input is wrong: `field` names it, the message says how.")
    INVALID_CODE = _code("INVALID_CODE", description="The figures are wrong, used up, too old or another session's.")
    INVALID_CURSOR = _code("INVALID_CURSOR", description="`after` is no cursor of this list.")
    INVALID_EMAIL = _code("INVALID_EMAIL", description="This is no e-mail address.")
    INVALID_HANDLE = _code("INVALID_HANDLE", description="A handle has letters, digits and underscores.")
    INVALID_ID = _code("INVALID_ID", description="This is no id, or that of another kind of thing.")
    INVALID_INVITATION = _code("INVALID_INVITATION", description="The invitation was used, has ended or never was.")
    INVALID_LINK = _code("INVALID_LINK", description="The sign-in link was used, has ended or never was.")
    INVALID_NAME = _code("INVALID_NAME", description="The name is empty, too long or has signs that no name has.")
    INVALID_PASSKEY = _code("INVALID_PASSKEY", description="The passkey proves nothing.")
    INVALID_STARS = _code("INVALID_STARS", description="Stars are whole numbers from 0 to 5, each for a choice of it.")
    INVALID_TAG = _code("INVALID_TAG", description="A tag is too long or has other signs; or there are too many.")
    INVALID_TOKEN = _code("INVALID_TOKEN", description="The bearer token is unknown, revoked or of a closed account.")
    INVITATION_NEEDED = _code("INVITATION_NEEDED", description="People join this community by invitation only.")
    KEY_REUSED = _code("KEY_REUSED", description="The idempotency key came with something else before.")
    LAST_MANAGER = _code("LAST_MANAGER", description="A community keeps at least one manager.")
    MAIL_NOT_SENT = _code("MAIL_NOT_SENT", description="The mail server did not take the mail. Try again later.")
    MALFORMED = _code("MALFORMED", description="A file or list cannot be read; the message says where.")
    NAME_TAKEN = _code("NAME_TAKEN", description="Another community has this name.")
    NOTHING_TO_EXPORT = _code("NOTHING_TO_EXPORT", description="There is no result to export yet.")
    NOT_A_DEMO_ACCOUNT = _code("NOT_A_DEMO_ACCOUNT", description="Only people of the demo are signed in so.")
    NOT_FOLLOWABLE = _code("NOT_FOLLOWABLE", description="This member cannot be followed.")
    NOT_YOUR_PASSKEY = _code("NOT_YOUR_PASSKEY", description="You have no such passkey.")
    NOT_YOUR_TOKEN = _code("NOT_YOUR_TOKEN", description="You have no such API token.")
    NO_BALLOT = _code("NO_BALLOT", description="You have not cast a ballot in this decision.")
    ONLY_OVER_HTTP = _code("ONLY_OVER_HTTP", description="It sets or needs a cookie, which a WebSocket cannot.")
    PERMISSION_DENIED = _code(
        "PERMISSION_DENIED", description="You may not do this, or there is no such thing: it is not told which."
    )
    PROVIDER_REFUSED = _code("PROVIDER_REFUSED", description="The provider that signs people in did not sign you in.")
    PUBLIC_ALREADY = _code("PUBLIC_ALREADY", description="Everybody can read this result anyway.")
    RESULT_NOT_FINAL = _code("RESULT_NOT_FINAL", description="People can still vote.")
    SELF_FOLLOWING = _code("SELF_FOLLOWING", description="Nobody follows themselves.")
    SENT_LATELY = _code("SENT_LATELY", description="The mail left a short while ago. Send it again later.")
    SIGN_IN = _code("SIGN_IN", description="This needs somebody who is signed in, or a token.")
    TEXTS_FROZEN = _code("TEXTS_FROZEN", description="The words of an open decision stay; a clarification can add.")
    TEXT_HIDDEN = _code("TEXT_HIDDEN", description="The site's operator has hidden these very words.")
    TOO_MANY_COMMUNITIES = _code("TOO_MANY_COMMUNITIES", description="You founded as many today as one person may.")
    TOO_MANY_FOLLOWINGS = _code("TOO_MANY_FOLLOWINGS", description="You follow as many members as one may.")
    TOO_MANY_INVITATIONS = _code("TOO_MANY_INVITATIONS", description="You sent as many invitations today as one may.")
    TOO_MANY_PASSKEYS = _code("TOO_MANY_PASSKEYS", description="You have as many passkeys as one may.")
    TOO_MANY_REQUESTS = _code("TOO_MANY_REQUESTS", description="You asked too often. The message says when to go on.")
    TOO_MANY_TOKENS = _code("TOO_MANY_TOKENS", description="You have as many API tokens as one may.")
