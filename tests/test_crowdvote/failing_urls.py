"""Addresses for the tests of what is shown when something fails, or the database is away."""

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail")


def is_away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("secret detail")


def was_cut_off(request: HttpRequest) -> HttpResponse:
    raise InterfaceError("secret detail")


handler500 = "crowdvote.pages.views.failed"
urlpatterns = [
    path("fails", fails),
    path("away", is_away),
    path("cut-off", was_cut_off),
    path("graphql/", fails),
]
