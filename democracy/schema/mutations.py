"""The mutations: each calls one command and says what stands now. A refusal is the payload's `errors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import strawberry

from accounts.api import DONE, Info, Input, Payload, mutation, node_id, pk_of
from democracy import access, models, services
from democracy.errors import InvalidInput
from democracy.models import MAX_CHOICES
from democracy.presenting.wording import (
    FOLLOWING_UPDATED,
    LIVE_AND_ANONYMOUS,
    RECALCULATION_STARTED,
    VOTE_RECORDED,
    next_result_sentence,
    welcome_sentence,
)
from democracy.reading import receipts
from democracy.reading.communities import community_listed, has_anonymous_voters
from democracy.reading.decisions import calculation_states
from democracy.schema import inputs
from democracy.schema.arguments import ApplicationId, CommunityId, DecisionId, MemberId
from democracy.schema.types import ledger
from democracy.schema.types.communities import Application, Community
from democracy.schema.types.decisions import Decision
from democracy.schema.types.people import Following, Member
from democracy.schema.types.results import CalculationStatus, statuses_of
from democracy.schema.types.whatif import read_stars
from democracy.services import RecordedBallot
from democracy.services.decisions import KEPT

WITHDRAWN = "Vote withdrawn!"
LEFT = (
    "You left. Ballots with your name and your followings count for nothing there now; ballots that you cast under a "
    "pseudonym stay in their decisions."
)
HIDDEN = "You are anonymous now. Ballots that you had cast by name keep your name."
SHOWN = "You are no longer anonymous. Ballots that you cast under a pseudonym keep it."


@strawberry.type(description="The answer to `createCommunity` and `updateCommunity`.")
class CommunityPayload(Payload):
    community: Community | None = strawberry.field(default=None, description="As it stands now.")


@strawberry.type(description="The answer to `applyToCommunity`, `withdrawApplication` and `decideApplication`.")
class ApplicationPayload(Payload):
    application: Application | None = strawberry.field(default=None, description="As it stands now.")
    message: str | None = strawberry.field(default=None, description=f"{DONE} Null for `decideApplication`.")


@strawberry.type(description="The answer to `updateMembership` and `setAnonymity`.")
class MembershipPayload(Payload):
    member: Member | None = strawberry.field(default=None, description="As they stand now.")
    message: str | None = strawberry.field(default=None, description=f"{DONE} Null for `updateMembership`.")


@strawberry.type(description="The answer to `leaveCommunity` and `removeMember`.")
class LeavePayload(Payload):
    community: Community | None = strawberry.field(default=None, description="The one that has a member less.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of whoever is no member any more, for clients that keep them."
    )
    message: str | None = strawberry.field(default=None, description=f"{DONE} Null for `removeMember`.")


@strawberry.type(description="The answer to mutations that make or change a decision.")
class DecisionPayload(Payload):
    decision: Decision | None = strawberry.field(default=None, description="As it stands now.")
    warning: str | None = strawberry.field(
        default=None, description="A caution on a draft: live results in a community with anonymous voters. Else null."
    )


@strawberry.type(description="The answer to `castVote`, `withdrawVote` and `tagVote`.")
class BallotPayload(Payload):
    decision: Decision | None = strawberry.field(
        default=None, description="The one that the ballot is in, with `myBallot` as it is now. Its result follows."
    )
    receipt: str | None = strawberry.field(
        default=None,
        description="The hash of the ledger entry: with it anybody sees that the ballot was recorded. Shown to you "
        "alone: whoever you show that of an anonymous ballot to can see that it is yours.",
    )
    full_receipt: ledger.Receipt | None = strawberry.field(
        default=None, description="The receipt with what opens the entry. Keep it: it proves what was recorded."
    )
    message: str | None = strawberry.field(default=None, description=f"{DONE} It says when the next result is shown.")

    @strawberry.field(
        description="As it stands now; subscribe to calculationStatus or decisionResult for what follows."
    )
    async def calculation(self, info: Info) -> CalculationStatus | None:
        return (
            None
            if self.decision is None
            else await info.context.load(statuses_of, cast(models.Decision, self.decision).pk)
        )


@strawberry.type(description="The answer to `follow` and `unfollow`.")
class FollowPayload(Payload):
    following: Following | None = strawberry.field(default=None, description="As it stands now; null for `unfollow`.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the following that has ended, for clients that keep it."
    )
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type(description="The answer to `recalculate`.")
class RecalculatePayload(Payload):
    decision: Decision | None = strawberry.field(default=None, description="The one that is calculated.")
    calculation: CalculationStatus | None = strawberry.field(
        default=None, description="As it stands now; subscribe to calculationStatus for what follows."
    )
    message: str | None = strawberry.field(default=None, description=DONE)


def _status(decision: models.Decision) -> CalculationStatus:
    return CalculationStatus(state=calculation_states([decision.pk])[0])


def _member(row: models.Membership) -> Member:
    """With its user, who is read here: resolvers run in the event loop, which must not wait for the database."""
    return Member.of(models.Membership.objects.select_related("user").get(pk=row.pk))


def _application(row: models.Application) -> Application:
    return Application.of(models.Application.objects.select_related("user").get(pk=row.pk))


def _following(row: models.Following) -> Following:
    return Following.of(models.Following.objects.select_related("follower__user", "followee__user").get(pk=row.pk))


def _recorded(ballot: RecordedBallot, message: str = VOTE_RECORDED) -> BallotPayload:
    return BallotPayload(
        decision=Decision.of(ballot.decision),
        receipt=ballot.entry_hash,
        full_receipt=ledger.Receipt(receipt=receipts.Receipt(ballot.entry)),
        message=f"{message} {next_result_sentence(ballot.decision.results_visibility)}",
    )


def _choices(choices: Sequence[inputs.ChoiceInput]) -> list[services.ChoiceInput]:
    if len(choices) > MAX_CHOICES:
        raise InvalidInput(f"A decision has at most {MAX_CHOICES} choices.", field="choices")
    return [
        services.ChoiceInput(one.title, one.description, pk_of("Choice", one.id, field="choices") if one.id else None)
        for one in choices
    ]


def _value(choice: Any) -> Any:
    return None if choice is None else choice.value


def _joining(input: inputs.CreateCommunityInput | inputs.UpdateCommunityInput) -> Any:
    """The way people join, from either field: `autoApprove` is answered and accepted until it goes."""
    if input.joining is not None or input.auto_approve is None:
        return _value(input.joining)
    return models.Community.Joining.OPEN if input.auto_approve else models.Community.Joining.REQUEST


def _time(moment: Any) -> Any:
    return KEPT if moment is strawberry.UNSET else moment


@strawberry.type
class Mutation:
    @mutation
    def create_community(self, info: Info, input: Input[inputs.CreateCommunityInput]) -> CommunityPayload:
        """Found a community, as its first voter and manager."""
        viewer = info.context.viewer
        made = services.once(
            viewer,
            inputs.sending("createCommunity", input),
            lambda: (
                services.create_community(
                    viewer,
                    name=input.name,
                    description=input.description,
                    visibility=input.visibility.value,
                    joining=_joining(input),
                ).pk
            ),
        )
        return CommunityPayload(community=Community.of(community_listed(viewer, made)))

    @mutation
    def update_community(self, info: Info, input: Input[inputs.UpdateCommunityInput]) -> CommunityPayload:
        """Change a community. For managers."""
        changed = services.update_community(
            info.context.viewer,
            pk_of("Community", input.community_id, field="community_id"),
            name=input.name,
            description=input.description,
            visibility=_value(input.visibility),
            joining=_joining(input),
            if_revision=input.if_revision,
        )
        return CommunityPayload(community=Community.of(changed))

    @mutation
    def apply_to_community(self, info: Info, input: Input[inputs.ApplyToCommunityInput]) -> ApplicationPayload:
        """Ask to join; where applications are approved at once, join."""
        pk = pk_of("Community", input.community_id, field="community_id")
        application = services.apply_to_community(info.context.viewer, pk, message=input.message)
        return ApplicationPayload(application=_application(application), message=_welcome(application))

    @mutation
    def withdraw_application(self, info: Info, application_id: ApplicationId) -> ApplicationPayload:
        """Take your pending application back."""
        pk = pk_of("Application", application_id, field="application_id")
        application = services.withdraw_application(info.context.viewer, pk)
        return ApplicationPayload(application=_application(application), message="Your application was withdrawn.")

    @mutation
    def decide_application(self, info: Info, input: Input[inputs.DecideApplicationInput]) -> ApplicationPayload:
        """Approve or reject a pending application. For managers."""
        pk = pk_of("Application", input.application_id, field="application_id")
        application = services.decide_application(info.context.viewer, pk, approve=input.approve)
        return ApplicationPayload(application=_application(application))

    @mutation
    def leave_community(self, info: Info, community_id: CommunityId) -> LeavePayload:
        """Leave: your ballots with your name and your followings count for nothing from now on. Ballots that you cast
        under a pseudonym stay in their decisions: if they vanished, everybody could see which were yours."""
        pk = pk_of("Community", community_id, field="community_id")
        member = services.leave_community(info.context.viewer, pk)
        return LeavePayload(
            community=Community.of(member.community), deleted_id=node_id("Member", member.pk), message=LEFT
        )

    @mutation
    def remove_member(self, info: Info, member_id: MemberId) -> LeavePayload:
        """Remove somebody, who needs a manager to come back. Ballots with their name count for nothing from now on;
        those cast under a pseudonym stay in their decisions: if they vanished, everybody could see whose they were.
        For managers."""
        pk = pk_of("Member", member_id, field="member_id")
        member = services.remove_member(info.context.viewer, pk)
        return LeavePayload(community=Community.of(member.community), deleted_id=member_id)

    @mutation
    def update_membership(self, info: Info, input: Input[inputs.UpdateMembershipInput]) -> MembershipPayload:
        """Change somebody's role or manager's right. For managers."""
        pk = pk_of("Member", input.member_id, field="member_id")
        changed = services.update_membership(
            info.context.viewer,
            pk,
            role=_value(input.role),
            is_manager=input.is_manager,
            if_revision=input.if_revision,
        )
        return MembershipPayload(member=_member(changed))

    @mutation
    def set_anonymity(self, info: Info, input: Input[inputs.SetAnonymityInput]) -> MembershipPayload:
        """Become anonymous in a community, or give it up. An anonymous member cannot be followed, so followings of you
        end; you are asked to confirm that, with their number. Ballots already cast keep the name or pseudonym that they
        bear."""
        pk = pk_of("Community", input.community_id, field="community_id")
        changed = services.set_anonymity(info.context.viewer, pk, anonymous=input.anonymous, confirmed=input.confirmed)
        return MembershipPayload(member=_member(changed), message=HIDDEN if changed.is_anonymous else SHOWN)

    @mutation
    def create_decision(self, info: Info, input: Input[inputs.CreateDecisionInput]) -> DecisionPayload:
        """Draft a decision. For managers."""
        viewer = info.context.viewer
        made = services.once(
            viewer,
            inputs.sending("createDecision", input),
            lambda: (
                services.create_decision(
                    viewer,
                    pk_of("Community", input.community_id, field="community_id"),
                    title=input.title,
                    description=input.description,
                    choices=_choices(input.choices),
                    opens_at=input.opens_at,
                    closes_at=input.closes_at,
                    results_visibility=input.results_visibility.value,
                    topics=input.topics,
                    reminder_hours=input.reminder_hours,
                ).pk
            ),
        )
        decision = access.require_decision(viewer, made)
        return DecisionPayload(decision=Decision.of(decision), warning=_warning(decision))

    @mutation
    def update_decision(self, info: Info, input: Input[inputs.UpdateDecisionInput]) -> DecisionPayload:
        """Change a decision. For managers."""
        changed = services.update_decision(
            info.context.viewer,
            pk_of("Decision", input.decision_id, field="decision_id"),
            title=input.title,
            description=input.description,
            choices=None if input.choices is None else _choices(input.choices),
            opens_at=_time(input.opens_at),
            closes_at=_time(input.closes_at),
            results_visibility=_value(input.results_visibility),
            topics=input.topics,
            reminder_hours=input.reminder_hours,
            if_revision=input.if_revision,
        )
        return DecisionPayload(decision=Decision.of(changed), warning=_warning(changed))

    @mutation
    def publish_decision(self, info: Info, decision_id: DecisionId) -> DecisionPayload:
        """Publish a draft: its choices are frozen and get their lots. For managers."""
        pk = pk_of("Decision", decision_id, field="decision_id")
        return DecisionPayload(decision=Decision.of(services.publish_decision(info.context.viewer, pk)))

    @mutation
    def clarify_decision(self, info: Info, input: Input[inputs.ClarifyDecisionInput]) -> DecisionPayload:
        """Add a dated clarification to the question of a published decision, until it closes. For managers."""
        pk = pk_of("Decision", input.decision_id, field="decision_id")
        return DecisionPayload(
            decision=Decision.of(services.add_clarification(info.context.viewer, pk, text=input.text))
        )

    @mutation
    def cast_vote(self, info: Info, input: Input[inputs.CastVoteInput]) -> BallotPayload:
        """Cast or change your ballot, while the decision is open."""
        ballot = services.cast_ballot(
            info.context.viewer,
            pk_of("Decision", input.decision_id, field="decision_id"),
            stars=read_stars(input.stars),
            tags=input.tags,
            comment=input.comment,
            abstain=input.abstain,
            if_revision=input.if_revision,
        )
        return _recorded(ballot)

    @mutation
    def withdraw_vote(self, info: Info, decision_id: DecisionId) -> BallotPayload:
        """Take your ballot back and return to inheriting. It can be sent again: the receipt stays the same."""
        pk = pk_of("Decision", decision_id, field="decision_id")
        return _recorded(services.withdraw_ballot(info.context.viewer, pk), WITHDRAWN)

    @mutation
    def tag_vote(self, info: Info, input: Input[inputs.TagVoteInput]) -> BallotPayload:
        """Change the tags of the ballot that you cast."""
        pk = pk_of("Decision", input.decision_id, field="decision_id")
        return _recorded(services.tag_ballot(info.context.viewer, pk, tags=input.tags))

    @mutation
    def follow(self, info: Info, input: Input[inputs.FollowInput]) -> FollowPayload:
        """Follow a member of your community on some tags or on everything, or change on which."""
        pk = pk_of("Member", input.member_id, field="member_id")
        made = services.follow(info.context.viewer, pk, tags=input.tags, order=input.order)
        return FollowPayload(following=_following(made), message=FOLLOWING_UPDATED)

    @mutation
    def unfollow(self, info: Info, member_id: MemberId) -> FollowPayload:
        """Stop following a member. It can be sent again: whoever is not followed stays so."""
        pk = pk_of("Member", member_id, field="member_id")
        follower = services.unfollow(info.context.viewer, pk)
        return FollowPayload(deleted_id=node_id("Following", follower.pk, pk), message=FOLLOWING_UPDATED)

    @mutation
    def recalculate(self, info: Info, decision_id: DecisionId) -> RecalculatePayload:
        """Have a decision calculated from scratch, in the background. For managers."""
        decision = services.request_recalculation(
            info.context.viewer, pk_of("Decision", decision_id, field="decision_id")
        )
        return RecalculatePayload(
            decision=Decision.of(decision), calculation=_status(decision), message=RECALCULATION_STARTED
        )


def _warning(decision: models.Decision) -> str | None:
    """A caution about live results; for drafts alone, since nobody can change that once they are published."""
    is_live = decision.results_visibility == models.Decision.Visibility.LIVE
    is_told = is_live and decision.published_at is None and has_anonymous_voters(decision.community_id)
    return LIVE_AND_ANONYMOUS if is_told else None


def _welcome(application: models.Application) -> str:
    if application.status == models.Application.Status.APPROVED:
        return welcome_sentence(application.community.name)
    return "Your application was sent; a manager decides on it."
