"""Files to download: large ones are sent piece by piece."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.urls import reverse

from democracy import services
from democracy.files import kept_bundles
from democracy.recalculation import recalculate_community
from democracy.views import results
from tests.towns import Town, new_town


def calculated_town() -> Town:
    town = new_town("ada", "ben")
    services.update_community(town.manager, town.community.pk, visibility="public")
    recalculate_community(town.community.pk)
    return town


@pytest.mark.django_db(transaction=True)
async def test_a_large_bundle_is_sent_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_bundles, "_PIECE", 1_000)
    town = await sync_to_async(calculated_town)()
    address = reverse("decision-export", args=(town.community.pk, town.decision.pk))
    whole = (await AsyncClient().get(address)).content
    monkeypatch.setattr(results, "_SENT_AT_ONCE", 1_000)
    response = await AsyncClient().get(address)
    pieces = [piece async for piece in response.streaming_content]  # type: ignore[attr-defined]
    assert (b"".join(pieces), len(pieces)) == (whole, -(-len(whole) // 1_000))
    assert response["Content-Length"] == str(len(whole))
    in_thread = await sync_to_async(Client().get)(address)
    assert b"".join(in_thread.streaming_content) == whole  # type: ignore[attr-defined]
