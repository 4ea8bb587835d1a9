"""The start page: an introduction to CrowdVote and, in a demo only, the people to sign in as."""

from __future__ import annotations

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse
from PIL import Image

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    """Create two people of the demo, and two who are not offered: one outside the demo, one inactive."""
    return [
        User.objects.create_user(None, name="Zoe", handle="zoe", is_demo=True),
        User.objects.create_user(None, name="Ann <b>", handle="ann", is_demo=True),
        User.objects.create_user("real@example.org", name="Real", handle="real"),
        User.objects.create_user(None, name="Gone", handle="gone", is_demo=True, is_active=False),
    ]


def test_a_demo_offers_its_people_by_name(client: Client, people: list[User], settings) -> None:
    settings.DEMO_SIGN_IN = True
    response = client.get(reverse("home"))
    assert [person.handle for person in response.context["demo_people"]] == ["ann", "zoe"]
    assert "Ann &lt;b&gt;" in response.content.decode()


def test_anywhere_else_nobody_is_offered(client: Client, people: list[User], settings) -> None:
    settings.DEMO_SIGN_IN = False
    response = client.get(reverse("home"))
    assert list(response.context["demo_people"]) == []
    assert "Try the demo" not in response.content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_people_costs_no_queries(client: Client, settings, django_assert_num_queries, count: int) -> None:
    settings.DEMO_SIGN_IN = True
    for number in range(count):
        User.objects.create_user(None, name=f"P{number}", handle=f"p{number}", is_demo=True)
    with django_assert_num_queries(
        3
    ):  # these people, and two for their captions; it looks for an example only if one was chosen
        client.get(reverse("home"))


def test_who_is_signed_in_sees_their_name_and_the_way_out(client: Client, people: list[User]) -> None:
    client.force_login(people[2])
    page = client.get(reverse("home")).content.decode()
    assert reverse("sign-out") in page
    assert "Real" in page
    assert "Sign in with your e-mail address" not in page


def test_the_site_can_be_put_among_ones_apps(client: Client) -> None:
    page = client.get(reverse("home")).content.decode()
    assert '<link rel="manifest" href="/manifest.webmanifest">' in page
    response = client.get(reverse("manifest"))
    assert response["Content-Type"] == "application/manifest+json"
    manifest = response.json()
    assert (manifest["start_url"], manifest["scope"]) == ("/", "/")
    for icon in manifest["icons"]:
        with Image.open(finders.find(icon["src"].removeprefix("/static/"))) as image:
            assert (f"{image.width}x{image.height}", Image.MIME[image.format]) == (icon["sizes"], icon["type"])


def test_only_reading_is_allowed(client: Client) -> None:
    assert client.post(reverse("home")).status_code == 405
    assert client.head(reverse("home")).status_code == 200


def test_there_is_a_page_for_what_is_not_there(client: Client) -> None:
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_a_form_without_its_token_is_refused_with_what_to_do(settings) -> None:
    response = Client(enforce_csrf_checks=True).post(reverse("sign-in"), {"email": "a@example.org"})
    assert response.status_code == 403
    assert "load the page again" in response.content.decode()


@pytest.fixture
def failing(settings) -> Client:
    settings.ROOT_URLCONF = "tests.test_crowdvote.failing_urls"
    return Client(raise_request_exception=False)


def test_a_failure_shows_a_page_and_no_traceback(failing: Client) -> None:
    response = failing.get("/fails")
    assert (response.status_code, "Retry-After" in response.headers) == (500, False)
    assert "Something went wrong" in response.content.decode()
    assert "secret detail" not in response.content.decode()


@pytest.mark.parametrize("address", ["/away", "/cut-off"])
def test_where_the_database_is_away_a_page_says_to_come_again(
    failing: Client, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = failing.get(address)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "Back in a moment" in response.content.decode()
    assert "secret detail" not in response.content.decode()
    assert [(record.name, record.exc_info) for record in caplog.records] == [("crowdvote.pages.views", None)]


def test_programs_are_told_of_a_failure_as_graphql_tells_errors(failing: Client) -> None:
    response = failing.post("/graphql/")
    assert response.status_code == 500
    assert response.json() == {"errors": [{"message": "Internal error", "extensions": {"code": "INTERNAL"}}]}
    assert "Something went wrong" in failing.get("/graphql/", headers={"accept": "text/html"}).content.decode()
