"""The most characters of each text in a file: as many as the column takes that it is written to."""

from __future__ import annotations

from django.db.models import Field, Model

from accounts.models import User
from democracy.models import Ballot, Choice, Clarification, Community, Decision, Membership


def _most(model: type[Model], column: str) -> int:
    field = model._meta.get_field(column)
    assert isinstance(field, Field)
    assert field.max_length is not None
    return field.max_length


ID = min(_most(model, "file_id") for model in (Membership, Decision, Choice))
MEMBER_NAME = _most(User, "name")
HANDLE = _most(User, "handle")
COMMUNITY_NAME = _most(Community, "name")
COMMUNITY_DESCRIPTION = _most(Community, "description")
DECISION_TITLE = _most(Decision, "title")
DECISION_DESCRIPTION = _most(Decision, "description")
CHOICE_TITLE = _most(Choice, "title")
CHOICE_DESCRIPTION = _most(Choice, "description")
CLARIFICATION = _most(Clarification, "text")
COMMENT = _most(Ballot, "comment")
