"""The addresses of communities, followings and decisions."""

from django.urls import URLPattern, path

from democracy.views import (
    account,
    ballots,
    communities,
    decisions,
    followings,
    ledger,
    live,
    manage,
    members,
    network,
    results,
)

urlpatterns: list[URLPattern] = [
    # --- Communities, members, followings -----------------------------------------------------------------------------
    path("communities/", communities.communities, name="communities"),
    path("communities/create/", communities.community_create, name="community-create"),
    path("communities/<int:community_id>/", communities.community, name="community"),
    path("communities/<int:community_id>/events/", live.community_events, name="community-events"),
    path("communities/<int:community_id>/apply/", communities.apply_to_community, name="community-apply"),
    path("communities/<int:community_id>/leave/", communities.community_leave, name="community-leave"),
    path("applications/<int:application_id>/withdraw/", communities.application_withdraw, name="application-withdraw"),
    path("communities/<int:community_id>/members/", members.community_members, name="community-members"),
    path("communities/<int:community_id>/members/<int:membership_id>/", members.member, name="member"),
    path("communities/<int:community_id>/anonymity/", members.anonymity, name="anonymity"),
    path(
        "communities/<int:community_id>/members/<int:membership_id>/follow/", followings.follow_user, name="follow_user"
    ),
    path(
        "communities/<int:community_id>/members/<int:membership_id>/follow/preview/",
        followings.follow_preview,
        name="follow-preview",
    ),
    path(
        "communities/<int:community_id>/members/<int:membership_id>/unfollow/",
        followings.unfollow_user,
        name="unfollow_user",
    ),
    path("following/", followings.followings, name="followings"),
    path("following/<int:community_id>/reorder/", followings.followings_reorder, name="followings-reorder"),
    path("communities/<int:community_id>/network/", network.community_network, name="community-network"),
    path("communities/<int:community_id>/network/data/", network.community_network_data, name="community-network-data"),
    path("communities/<int:community_id>/ledger/", ledger.community_ledger, name="community-ledger"),
    path("communities/<int:community_id>/ledger/<int:revision>/", ledger.ledger_entry, name="ledger-entry"),
    path("communities/<int:community_id>/ledger/export/", ledger.ledger_download, name="ledger-download"),
    path("communities/<int:community_id>/checkpoint/", ledger.community_checkpoint, name="community-checkpoint"),
    path("communities/<int:community_id>/manage/", manage.community_manage, name="community-manage"),
    path("communities/<int:community_id>/settings/", manage.community_settings, name="community-settings"),
    path(
        "communities/<int:community_id>/applications/<int:application_id>/",
        manage.application_decide,
        name="application-decide",
    ),
    path(
        "communities/<int:community_id>/members/<int:membership_id>/role/", manage.member_update, name="member-update"
    ),
    path(
        "communities/<int:community_id>/members/<int:membership_id>/remove/", manage.member_remove, name="member-remove"
    ),
    # --- Decisions, ballots, results ----------------------------------------------------------------------------------
    path("communities/<int:community_id>/decisions/create/", decisions.decision_create, name="decision-create"),
    path("communities/<int:community_id>/decisions/<int:decision_id>/", decisions.decision, name="decision"),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/edit/",
        decisions.decision_edit,
        name="decision-edit",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/preview/",
        decisions.decision_preview,
        name="decision-preview",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/publish/",
        decisions.decision_publish,
        name="decision-publish",
    ),
    path("communities/<int:community_id>/decisions/<int:decision_id>/vote/", ballots.vote_submit, name="vote_submit"),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/vote/typed/",
        ballots.vote_typed,
        name="vote-typed",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/what-if/",
        ballots.vote_what_if,
        name="vote-what-if",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/withdraw/",
        ballots.vote_withdraw,
        name="vote-withdraw",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/receipt/",
        ballots.own_receipt,
        name="decision-receipt",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/clarify/",
        decisions.decision_clarify,
        name="decision-clarify",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/sources/",
        ballots.own_sources,
        name="decision-sources",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/ballots/", ballots.ballots, name="decision-ballots"
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/ballots/<str:key>/",
        ballots.ballot,
        name="decision-ballot",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/results/",
        results.decision_results,
        name="decision-results",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/history/",
        results.decision_history,
        name="decision-history",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/delegation/",
        results.decision_network,
        name="decision-network",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/delegation/data/",
        results.decision_network_data,
        name="decision-network-data",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/influence/",
        results.decision_influence,
        name="decision-influence",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/margin/",
        results.decision_margin,
        name="decision-margin",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/recalculate/",
        results.recalculate_results,
        name="recalculate_results",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/export/",
        results.decision_export,
        name="decision-export",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/ballots.csv",
        results.decision_csv,
        name="decision-csv",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/status/",
        live.decision_status,
        name="decision-status",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/events/",
        live.decision_events,
        name="decision-events",
    ),
    # --- One's own account --------------------------------------------------------------------------------------------
    path("profile/data/", account.own_data, name="own-data"),
    path("profile/close/", account.close_account, name="close-account"),
]
