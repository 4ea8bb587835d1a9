"""The administration of communities, decisions and what was calculated.

# Note [The admin writes nothing itself]
Every rule holds for pages, GraphQL, imports and the administration alike, because only the commands write inputs. So
everything here is read only, except what has a command behind it: a community's settings, for its managers, and
calculating a decision from scratch, for superusers, and hiding what people wrote, for operators with the right to add
moderations. A row that the admin deleted or saved on its own would be in no
ledger and break the undoing of later changes. Only the calculation writes derived rows, and nobody writes the ledger.

# Note [Operators know no more]
Whoever administers the site is no manager of its communities. Rows of anonymous members (memberships, the applications
by which they joined, ballots, followings they own) are not listed here, nor are ballots that nobody may see yet: a row
number alone would tie a member's ballots together. What a decision hides is hidden here, too: counters, times, whether
a calculation failed. The contents of the ledger are read on the community's own page. No list takes a lookup that is
not written down in it (`StrictModelAdmin`), and those of what hangs on ballots are in one order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from accounts.errors import DomainError
from democracy import access, services
from democracy.admin.moderating import ModeratedAdmin
from democracy.admin.read_only import ListOnlyAdmin, ReadOnlyAdmin, ReadOnlyInline
from democracy.admin.staged_ballots import MOST_STAGED, staged_by_name
from democracy.models import (
    Application,
    Ballot,
    CalculationClaim,
    Choice,
    Community,
    Decision,
    DecisionSnapshot,
    Following,
    LedgerEntry,
    Membership,
    Moderation,
)
from democracy.presenting.wording import RECALCULATION_STARTED

admin.site.site_header = admin.site.site_title = "CrowdVote administration"
admin.site.index_template = "admin/index_with_log.html"


class StayFilter(admin.SimpleListFilter):
    """A filter for current and for former members."""

    title, parameter_name = "membership", "stay"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Current"), ("former", "Has left")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> QuerySet[Membership]:
        return queryset.filter(left_at__isnull=self.value() == "now") if self.value() else queryset


class FailureFilter(admin.SimpleListFilter):
    """Decisions whose last calculation failed."""

    title, parameter_name = "calculation", "calculation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failed", "Failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Decision]) -> QuerySet[Decision]:
        shown = access.decisions_that_show_ballots()
        return queryset.filter(shown).exclude(calculation_error="") if self.value() else queryset


class CommunityForm(forms.ModelForm):
    def _get_validation_exclusions(self) -> set[str]:
        # The command says in words whether a name is free. Django has no public way to leave that to it.
        return {*super()._get_validation_exclusions(), "name"}  # type: ignore[misc]


@admin.register(Community)
class CommunityAdmin(ModeratedAdmin, ReadOnlyAdmin):
    form = CommunityForm
    list_display = ("name", "readers", "joining", "is_hidden", "created_at", "revision")
    list_filter = ("visibility", "joining", "is_hidden")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "description", "visibility", "joining", "is_hidden", "created_at", "revision", "pages")
    readonly_fields = ("is_hidden", "created_at", "revision", "pages")

    @admin.display(description="Read by", ordering="visibility")
    def readers(self, community: Community) -> str:
        return "Everybody" if community.visibility == Community.Visibility.PUBLIC else "Members"

    @admin.display(description="On the site")
    def pages(self, community: Community) -> str:
        return format_html(
            '<a href="{}">The community</a> · <a href="{}">Its ledger</a>',
            reverse("community", args=[community.pk]),
            reverse("community-ledger", args=[community.pk]),
        )

    def has_change_permission(self, request: HttpRequest, obj: Community | None = None) -> bool:
        """Its managers, where they may change communities here at all; the command asks again."""
        own = obj and access.membership_of(request.user, obj.pk)
        return bool(own and own.is_manager) and admin.ModelAdmin.has_change_permission(self, request, obj)

    def log_change(self, request: HttpRequest, obj: Community, message: Any) -> Any:
        """Write no line into Django's own history: it would name a manager who is anonymous. The ledger has it all."""

    def save_model(self, request: HttpRequest, obj: Community, form: Any, change: bool) -> None:
        services.update_community(
            request.user,
            obj.pk,
            name=obj.name,
            description=obj.description,
            visibility=obj.visibility,
            joining=obj.joining,
        )

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ChoiceInline(ReadOnlyInline):
    model = Choice
    fields = ("position", "title", "description", "lot")


@admin.register(Decision)
class DecisionAdmin(ModeratedAdmin, ReadOnlyAdmin):
    list_display = ("title", "community", "where", "closes_at", "counters", "calculated")
    list_select_related = ("community",)
    list_filter = ("results_visibility", FailureFilter)
    search_fields = ("title", "community__name")
    date_hierarchy = "closes_at"
    ordering = ("-created_at", "-pk")
    fields = (
        *("community", "title", "description", "results_visibility", "where", "created_at", "published_at", "opens_at"),
        *("closes_at", "called_off_at", "called_off_reason", "topics_in_words", "is_pinned", "reminder_hours"),
        *("counters", "calculated", "failure", "file_id"),
    )
    readonly_fields = ("staged",)
    inlines = (ChoiceInline,)
    actions = ("calculate_from_scratch",)

    @admin.display(description="Status")
    def where(self, decision: Decision) -> str:
        return decision.status.label

    @admin.display(description="Topics")
    def topics_in_words(self, decision: Decision) -> str:
        return ", ".join(decision.topics) or "-"

    @admin.display(description="Calculated / input revision", empty_value="hidden")
    def counters(self, decision: Decision) -> str | None:
        hidden = access.hides_ballots(decision)
        return None if hidden else f"{decision.calculated_revision} / {decision.input_revision}"

    @admin.display(description="Last calculated")
    def calculated(self, decision: Decision) -> datetime | None:
        return None if access.hides_ballots(decision) else decision.last_calculated

    @admin.display(description="Last calculation failed")
    def failure(self, decision: Decision) -> str:
        if access.hides_ballots(decision) or not decision.calculation_error:
            return "-"
        return decision.calculation_error

    def get_fields(self, request: HttpRequest, obj: Decision | None = None) -> list[Any]:
        """Staged ballots are for those who may see them: they have no list of their own."""
        sees_ballots = request.user.has_perm("democracy.view_stagedblock")
        return [*super().get_fields(request, obj), *(["staged"] if sees_ballots else [])]

    @admin.display(description=f"Staged ballots by name, in microstars choice by choice: the first {MOST_STAGED}")
    def staged(self, decision: Decision) -> str:
        return staged_by_name(decision)

    def has_calculate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    @admin.action(description="Calculate from scratch", permissions=["calculate"])
    def calculate_from_scratch(self, request: HttpRequest, chosen: QuerySet[Decision]) -> None:
        for decision in chosen.order_by("pk"):
            try:
                services.request_recalculation_as_operator(request.user, decision.pk)
            except DomainError as refusal:
                self.message_user(request, f"{decision.title}: {refusal}", messages.ERROR)
            else:
                self.message_user(request, f"{decision.title}: {RECALCULATION_STARTED}")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Members under their own names. See Note [Operators know no more]."""

    list_display = ("user", "community", "role", "is_manager", "joined_at", "left_at")
    list_select_related = ("user", "community")
    list_filter = ("role", "is_manager", StayFilter)
    search_fields = ("user__handle", "community__name")
    ordering = ("community", "user__handle")
    exclude = ("is_anonymous",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).filter(is_anonymous=False)


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    list_display = ("user", "community", "status", "created_at", "decided_at", "decider")
    list_select_related = ("user", "community", "decided_by")
    list_filter = ("status",)
    search_fields = ("user__handle", "community__name")
    ordering = ("-created_at", "-pk")
    fields = ("user", "community", "message", "status", "created_at", "decided_at", "decider")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        anonymous = Membership.objects.filter(community=OuterRef("community"), is_anonymous=True)
        applications = super().get_queryset(request).exclude(Exists(anonymous.filter(user=OuterRef("user"))))
        return applications.annotate(is_decider_hidden=Exists(anonymous.filter(user=OuterRef("decided_by"))))

    @admin.display(description="Decided by")
    def decider(self, application: Application) -> str:
        if application.is_decider_hidden:  # type: ignore[attr-defined]
            return access.ANONYMOUS
        return application.decided_by.handle if application.decided_by is not None else "-"


@admin.register(Following)
class FollowingAdmin(ListOnlyAdmin):
    list_display = ("follower_name", "followee_name", "community", "tags_in_words", "created_at")
    list_select_related = ("follower__user", "followee__user", "follower__community")
    ordering = ("-created_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Following]:
        return super().get_queryset(request).filter(follower__is_anonymous=False, followee__is_anonymous=False)

    @admin.display(description="Follower", ordering="follower__user__handle")
    def follower_name(self, following: Following) -> str:
        return access.display_name(following.follower)

    @admin.display(description="Followee", ordering="followee__user__handle")
    def followee_name(self, following: Following) -> str:
        return access.display_name(following.followee)

    @admin.display
    def community(self, following: Following) -> str:
        return following.follower.community.name


def _open_ballots(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Keep the ballots that bear names, in decisions that show their ballots (`access.shows_ballots`)."""
    shown = access.decisions_that_show_ballots("decision__")
    return rows.filter(shown, decision__published_at__isnull=False, is_anonymous=False)


@admin.register(Ballot)
class BallotAdmin(ListOnlyAdmin):
    list_display = ("member", "decision", "stars", "tags_in_words", "comment", "abstain", "cast_at")
    list_select_related = ("membership__user", "decision")
    list_filter = ("abstain",)
    sortable_by = ()
    ordering = ("-cast_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ballot]:
        return _open_ballots(super().get_queryset(request)).prefetch_related("votes__choice")

    @admin.display
    def stars(self, ballot: Ballot) -> str:
        return ", ".join(f"{vote.choice.title}: {vote.stars}" for vote in ballot.votes.all()) or "-"

    @admin.display
    def member(self, ballot: Ballot) -> str:
        return ballot.membership.user.handle


@admin.register(DecisionSnapshot)
class DecisionSnapshotAdmin(ReadOnlyAdmin):
    """Derived: results as they were published."""

    list_display = ("decision", "at_revision", "is_final", "calculated")
    list_select_related = ("decision",)
    list_filter = ("is_final",)
    search_fields = ("decision__title",)
    date_hierarchy = "calculated_at"
    ordering = ("-calculated_at", "-pk")
    sortable_by = ()
    fields = ("decision", "at_revision", "is_final", "calculated", "result")

    @admin.display(description="Revision", empty_value="not told")
    def at_revision(self, snapshot: DecisionSnapshot) -> int | None:
        return access.shown_revision(snapshot)

    @admin.display(description="Calculated at")
    def calculated(self, snapshot: DecisionSnapshot) -> datetime:
        return access.shown_time(snapshot)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DecisionSnapshot]:
        # Its result is not loaded for the list: that of a large decision is long.
        rows = super().get_queryset(request)
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("result")


# No anonymous member can be found by the minute of such an entry.
_OF_THE_COMMUNITY = (
    LedgerEntry.Kind.COMMUNITY,
    LedgerEntry.Kind.DECISION,
    LedgerEntry.Kind.RECALCULATION,
    LedgerEntry.Kind.PUBLICATION,
    LedgerEntry.Kind.MODERATION,
)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The chain without the contents of its entries. See Note [Operators know no more]."""

    list_display = ("community", "revision", "at", "kind", "short_hash")
    list_select_related = ("community",)
    list_filter = ("kind",)
    search_fields = ("community__name", "hash")
    date_hierarchy = "time"
    ordering = ("-time", "-pk")
    sortable_by = ()
    fields = ("community", "revision", "at", "kind", "commitment", "hash")

    @admin.display(description="Time; of what people do the hour")
    def at(self, entry: LedgerEntry) -> datetime:
        return entry.time if entry.kind in _OF_THE_COMMUNITY else access.to_the_hour(entry.time)

    @admin.display(description="Hash")
    def short_hash(self, entry: LedgerEntry) -> str:
        return entry.hash[:16]


@admin.register(CalculationClaim)
class CalculationClaimAdmin(ListOnlyAdmin):
    """The runs that hold communities now, without their number and times: these would count and time hidden votes."""

    list_display = ("community", "holder", "is_running")
    list_select_related = ("community",)
    ordering = ("community",)
    sortable_by = ()

    @admin.display(boolean=True)
    def is_running(self, claim: CalculationClaim) -> bool:
        return claim.is_live


@admin.register(Moderation)
class ModerationAdmin(ReadOnlyAdmin):
    """Moderations with their reasons. Subjects are told as everybody may know them: a ballot bears its pseudonym."""

    list_display = ("community", "decision", "what", "reason", "hidden_at", "ended_at")
    list_select_related = ("community", "decision")
    search_fields = ("community__name", "reason")
    date_hierarchy = "hidden_at"
    ordering = ("-hidden_at", "-pk")
    fields = ("community", "decision", "what", "reason", "stand_in", "hidden_at", "hidden_by", "ended_at")
    actions = ("show_again",)

    @admin.display(description="Hides")
    def what(self, moderation: Moderation) -> str:
        return f"{moderation.told_as} {moderation.place}" if moderation.place else "the community"

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return access.moderates(request.user)

    @admin.action(description="Show again", permissions=["moderate"])
    def show_again(self, request: HttpRequest, chosen: QuerySet[Moderation]) -> None:
        for moderation in chosen.order_by("pk"):
            try:
                services.show_again(request.user, moderation.pk)
            except DomainError as refusal:
                self.message_user(request, f"{self.what(moderation)}: {refusal}", messages.ERROR)
            else:
                self.message_user(request, f"{self.what(moderation)}: shown again.")
