"""Commands ask first who is there, and are tried again where the database undid them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.services.commands import command
from tests import factories
from tests.test_database.test_retrying import Flaky


def test_a_visitor_is_asked_to_sign_in_before_anything_is_looked_up() -> None:
    flaky = Flaky(0)

    @command
    def look(viewer: Viewer) -> str:
        return flaky()

    with pytest.raises(PermissionDenied, match="Sign in first"):
        look(AnonymousUser())
    assert flaky.calls == 0


@pytest.mark.django_db(transaction=True)
def test_a_command_that_the_database_undid_is_tried_again() -> None:
    flaky = Flaky(2)

    @command
    def look(viewer: Viewer) -> str:
        return flaky()

    assert (look(factories.person()), flaky.calls) == ("done", 3)
