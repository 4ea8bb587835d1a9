"""Changing the address that one signs in with."""

from __future__ import annotations

import json

import pytest
from django.core.mail import EmailMessage

from accounts import services
from accounts.errors import InvalidLink
from accounts.models import User
from tests.factories import person
from tests.test_accounts.mailbox import code_in, token_in
from tests.test_views.browsing import as_

pytestmark = pytest.mark.django_db

Outbox = list[EmailMessage]
PAGE = "/profile/address/"


def addresses() -> dict[str, str | None]:
    return dict(User.objects.values_list("handle", "email"))


def test_the_new_address_confirms_by_its_code_and_the_old_one_is_told_twice(
    mailoutbox: Outbox, django_capture_on_commit_callbacks
):
    alice, _ = person("alice"), person("bystander")
    browser = as_(alice)
    services.request_sign_in_link("alice@example.org", client="here")
    link = token_in(mailoutbox.pop())
    assert browser.post(PAGE, {"email": " Alice@New.example "}).status_code == 302
    told, asked = mailoutbox
    assert (told.to, asked.to) == (["alice@example.org"], ["alice@new.example"])
    assert "alice@new.example" in told.body
    assert "alice@new.example" in browser.get(PAGE).text
    # Nothing changes by asking, nor by a wrong code.
    wrong = browser.post(PAGE, {"code": "x"})
    assert (wrong.status_code, "This is not the code" in wrong.text) == (400, True)
    assert addresses() == {"alice": "alice@example.org", "bystander": "bystander@example.org"}
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post(PAGE, {"code": code_in(asked)}).headers["Location"] == "/profile/"
    assert addresses() == {"alice": "alice@new.example", "bystander": "bystander@example.org"}
    assert (mailoutbox[-1].to, len(mailoutbox)) == (["alice@example.org"], 3)
    with pytest.raises(InvalidLink):
        services.sign_in(link)
    assert browser.post(PAGE, {"code": code_in(asked)}).status_code == 400


def test_only_the_browser_and_the_person_that_asked_can_confirm(client, mailoutbox: Outbox):
    alice, eve = person("alice"), person("eve")
    as_(alice).post(PAGE, {"email": "alice@new.example"})
    for other in (as_(alice), as_(eve)):
        assert other.post(PAGE, {"code": code_in(mailoutbox[1])}).status_code == 400
    assert as_(None).post(PAGE, {"code": code_in(mailoutbox[1])}).status_code == 302
    assert addresses() == {"alice": "alice@example.org", "eve": "eve@example.org"}


def test_whether_somebody_has_the_new_address_is_told_to_its_mailbox_alone(mailoutbox: Outbox):
    alice, _ = person("alice"), person("bob")
    answers = []
    for email in ("bob@example.org", "new@example.org"):
        browser = as_(alice)
        answer = browser.post(PAGE, {"email": email})
        shown = browser.get(PAGE).text.count("A mail with a code is on its way")
        answers.append((answer.status_code, answer.headers["Location"], shown))
    assert answers[0] == answers[1] == (302, PAGE, 1)
    to_bob, to_new = mailoutbox[1], mailoutbox[3]
    assert "There is an account with this address already" in to_bob.body
    assert len(code_in(to_new)) == 7
    assert addresses() == {"alice": "alice@example.org", "bob": "bob@example.org"}


def test_somebody_who_takes_the_address_first_keeps_it(mailoutbox: Outbox):
    browser = as_(person("alice"))
    browser.post(PAGE, {"email": "new@example.org"})
    person("new")
    answer = browser.post(PAGE, {"code": code_in(mailoutbox[1])})
    assert (answer.status_code, "There is another account with this address" in answer.text) == (400, True)
    assert addresses()["alice"] == "alice@example.org"


@pytest.mark.parametrize(("email", "status"), [("alice@", 400), ("alice@example.org", 400), ("fine@example.org", 302)])
def test_what_is_no_new_address_is_refused(mailoutbox: Outbox, email, status):
    assert as_(person("alice")).post(PAGE, {"email": email}).status_code == status
    assert len(mailoutbox) == (2 if status == 302 else 0)


def test_mails_to_one_address_and_of_one_account_are_limited(settings, mailoutbox: Outbox):
    settings.SIGN_IN_LIMIT_PER_ADDRESS = 2
    browser = as_(person("alice"))
    statuses = [browser.post(PAGE, {"email": f"new{number}@example.org"}).status_code for number in range(3)]
    assert (statuses, len(mailoutbox)) == ([302, 302, 429], 4)
    other = as_(person("bob"))
    for number in range(2):
        services.request_sign_in_link("target@example.org", client=f"192.0.2.{number}")
    assert other.post(PAGE, {"email": "target@example.org"}).status_code == 429


def test_an_account_of_the_demo_stays_everybodys(mailoutbox: Outbox):
    demo = person("demo", is_demo=True)
    answer = as_(demo).post(PAGE, {"email": "mine@example.org"})
    assert (answer.status_code, "belongs to the demo" in answer.text) == (400, True)
    assert PAGE not in as_(demo).get("/profile/").text
    assert mailoutbox == []


def test_programs_do_it_too(mailoutbox: Outbox):
    browser = as_(person("alice"))

    def run(operation: str) -> dict:
        body = json.dumps({"query": f"mutation {{ done: {operation} }}"})
        return browser.post("/graphql/", body, content_type="application/json").json()["data"]["done"]

    run('requestAddressChange(email: "new@example.org") { message }')
    found = run(f'confirmAddressChange(code: "{code_in(mailoutbox[1])}") {{ account {{ email }} errors {{ code }} }}')
    assert found == {"account": {"email": "new@example.org"}, "errors": []}
