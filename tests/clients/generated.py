"""Has the generated client ask, watch, vote and receive the next event.

`python generated.py URL TOKEN VOTER DECISION ORIGIN`. It cannot vote as a visitor (TOKEN is "-"): then VOTER, the token
of somebody who can, does. ORIGIN is that of a page that asks, or "-". The synchronous client then votes and withdraws
the ballot, reads the members page by page, and follows each that is somebody else for a moment. Prints what it got, as
JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import crowdvote_client
import crowdvote_client.sync


def headers_of(token: str, origin: str = "-") -> dict[str, str]:
    authorized = {} if token == "-" else {"Authorization": f"Bearer {token}"}
    return authorized if origin == "-" else authorized | {"Origin": origin}


def client_of(url: str, token: str, origin: str) -> crowdvote_client.Client:
    return crowdvote_client.Client(
        url,
        headers_of(token, origin),
        ws_url=url.replace("http", "ws", 1),
        ws_headers=headers_of(token),
        ws_origin=None if origin == "-" else origin,
    )


async def ask_and_watch(url: str, token: str, voter: str, decision_id: str, origin: str) -> dict[str, Any]:
    """Vote with the asynchronous client, and wait for the result that the vote makes."""
    async with client_of(url, token, origin) as site, client_of(url, voter, origin) as of_voter:
        decision = await site.decision(decision_id)
        mine = await site.my_open_decisions()
        assert decision
        events: list[Any] = []
        async for result in site.decision_result(decision_id):
            if result is None:
                continue
            events.append(result.model_dump(mode="json"))
            if len(events) == 1:
                winner = result.winner and result.winner.id
                wanted = next(choice for choice in reversed(decision.choices) if choice.id != winner)
                stars = [crowdvote_client.StarsInput(choiceId=wanted.id, stars=5)]
                ballot = crowdvote_client.CastVoteInput(decisionId=decision_id, stars=stars)
                vote = await site.cast_vote(ballot)
                if vote.errors:
                    await of_voter.cast_vote(ballot)
            elif result.winner and result.winner.id == wanted.id:
                break
        return {
            "title": decision.title,
            "me": mine and mine.model_dump(mode="json"),
            "vote": told(vote),
            "wanted": wanted.title,
            "events": events,
        }


def told(vote: Any) -> dict[str, Any]:
    receipt = vote.full_receipt and vote.full_receipt.hash
    return {"receipt": receipt, "errors": [error.model_dump(mode="json") for error in vote.errors]}


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


def ask_and_withdraw(url: str, token: str, decision_id: str, origin: str) -> dict[str, Any]:
    """Vote with the synchronous client, and take the ballot back."""
    with crowdvote_client.sync.Client(url, headers_of(token, origin)) as site:
        decision = site.decision(decision_id)
        mine = site.my_open_decisions()
        assert decision
        wanted = decision.choices[0]
        stars = [crowdvote_client.sync.StarsInput(choiceId=wanted.id, stars=5)]
        vote = site.cast_vote(crowdvote_client.sync.CastVoteInput(decisionId=decision_id, stars=stars))
        voted = site.decision(decision_id)
        withdrawn = site.withdraw_vote(decision_id)
        assert voted
        return {
            "title": decision.title,
            "me": mine and mine.model_dump(mode="json"),
            "vote": told(vote),
            "wanted": wanted.title,
            "ballot": voted.my_ballot and voted.my_ballot.model_dump(mode="json"),
            "withdrawn": withdrawn.model_dump(mode="json"),
            "members": follow_for_a_moment(site),
        }


if __name__ == "__main__":
    _, url, token, voter, decision_id, origin = sys.argv
    got = asyncio.run(ask_and_watch(url, token, voter, decision_id, origin))
    got["sync"] = ask_and_withdraw(url, token, decision_id, origin)
    sys.stdout.write(json.dumps(got))
