"""Has the generated client ask, vote and receive the next event: `python generated.py URL TOKEN DECISION CHOICE`.

CHOICE is the position of the choice that gets five stars. The synchronous client then withdraws the ballot, reads the
members page by page, and follows each that is somebody else for a moment. Prints what it got, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import crowdvote_client
import crowdvote_client.sync


def headers_of(token: str) -> dict[str, str]:
    return {} if token == "-" else {"Authorization": f"Bearer {token}"}


async def ask_and_watch(url: str, token: str, decision_id: str, position: int) -> dict[str, Any]:
    """Vote with the asynchronous client, and wait for the result that the vote makes."""
    headers = headers_of(token)
    socket = url.replace("http", "ws", 1)
    async with crowdvote_client.Client(url, headers, ws_url=socket, ws_headers=headers) as site:
        decision = await site.decision(decision_id)
        mine = await site.my_open_decisions()
        assert decision
        wanted = decision.choices[position]
        stars = [crowdvote_client.StarsInput(choiceId=wanted.id, stars=5)]
        events: list[Any] = []
        vote = None
        async for result in site.decision_result(decision_id):
            events.append(result and result.model_dump(mode="json"))
            if vote is None:
                vote = await site.cast_vote(crowdvote_client.CastVoteInput(decisionId=decision_id, stars=stars))
            if vote.errors or (result and result.winner and result.winner.id == wanted.id):
                break
        assert vote
        return {
            "title": decision.title,
            "me": mine and mine.handle,
            "vote": vote.model_dump(mode="json"),
            "wanted": wanted.title,
            "events": events,
        }


def members_of(site: crowdvote_client.sync.Client, community_id: str) -> Iterator[tuple[str, bool]]:
    """Yield the ids of the members, and whether each is the viewer: two a page."""
    after = None
    while found := site.members(community_id, first=2, after=after):
        for edge in found.members.edges:
            yield edge.node.id, edge.node.is_me
        after = found.members.page_info.end_cursor
        if not found.members.page_info.has_next_page:
            return


def follow_for_a_moment(site: crowdvote_client.sync.Client) -> list[dict[str, Any]]:
    """Follow every other member on a tag, and stop; return what became of it."""
    found = site.communities()
    assert found is not None
    (community,) = (edge.node for edge in found.edges)
    done = []
    for member_id, is_me in members_of(site, community.id):
        if not is_me:
            followed = site.follow(crowdvote_client.sync.FollowInput(memberId=member_id, tags=["trees"]))
            unfollowed = site.unfollow(member_id)
            done.append({"followed": followed.model_dump(mode="json"), "unfollowed": unfollowed.model_dump()})
    return done


def ask_and_withdraw(url: str, token: str, decision_id: str, position: int) -> dict[str, Any]:
    """Vote with the synchronous client, and take the ballot back."""
    with crowdvote_client.sync.Client(url, headers_of(token)) as site:
        decision = site.decision(decision_id)
        mine = site.my_open_decisions()
        assert decision
        stars = [crowdvote_client.sync.StarsInput(choiceId=decision.choices[position].id, stars=5)]
        vote = site.cast_vote(crowdvote_client.sync.CastVoteInput(decisionId=decision_id, stars=stars))
        voted = site.decision(decision_id)
        withdrawn = site.withdraw_vote(decision_id)
        assert voted
        return {
            "title": decision.title,
            "me": mine and mine.handle,
            "vote": vote.model_dump(mode="json"),
            "ballot": voted.my_ballot and voted.my_ballot.model_dump(mode="json"),
            "withdrawn": withdrawn.model_dump(mode="json"),
            "members": follow_for_a_moment(site),
        }


if __name__ == "__main__":
    _, url, token, decision_id, position = sys.argv
    got = asyncio.run(ask_and_watch(url, token, decision_id, int(position)))
    got["sync"] = ask_and_withdraw(url, token, decision_id, int(position))
    sys.stdout.write(json.dumps(got))
