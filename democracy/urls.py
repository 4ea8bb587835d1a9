"""The addresses of communities, followings and decisions."""

from django.urls import URLPattern, path

from democracy.views import (
    account,
    ballots,
    communities,
    decisions,
    feeds,
    followings,
    invitations,
    joining,
    ledger,
    lifecycle,
    live,
    manage,
    members,
    network,
    notices,
    reports,
    results,
    search,
    sharing,
    webhooks,
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
    # --- Invitations --------------------------------------------------------------------------------------------------
    path("invitation/<str:token>/", joining.invitation, name="invitation"),
    path("join/<str:token>/", joining.invitation_link, name="invitation-link"),
    path("communities/<int:community_id>/invitation/", joining.own_invitation, name="own-invitation"),
    path(
        "communities/<int:community_id>/invitations/", invitations.community_invitations, name="community-invitations"
    ),
    path(
        "communities/<int:community_id>/invitations/resend/", invitations.invitations_resend, name="invitations-resend"
    ),
    path(
        "communities/<int:community_id>/invitations/<int:invitation_id>/resend/",
        invitations.invitation_resend,
        name="invitation-resend",
    ),
    path(
        "communities/<int:community_id>/invitations/<int:invitation_id>/revoke/",
        invitations.invitation_revoke,
        name="invitation-revoke",
    ),
    path(
        "communities/<int:community_id>/invitation-links/",
        invitations.invitation_link_create,
        name="invitation-link-create",
    ),
    path(
        "communities/<int:community_id>/invitation-links/<int:link_id>/revoke/",
        invitations.invitation_link_revoke,
        name="invitation-link-revoke",
    ),
    path(
        "communities/<int:community_id>/invitation-links/<int:link_id>/poster/",
        invitations.invitation_poster,
        name="invitation-poster",
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
        "communities/<int:community_id>/decisions/<int:decision_id>/history/<int:revision>/",
        results.decision_past,
        name="decision-past",
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
    # --- Notices ------------------------------------------------------------------------------------------------------
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.notices_read, name="notices-read"),
    path("notices/bell/", notices.notice_bell, name="notice-bell"),
    path("notices/preferences/", notices.notice_preferences, name="notice-preferences"),
    path("notices/<int:notice_id>/", notices.notice_open, name="notice-open"),
    path("unsubscribe/<str:token>/", notices.unsubscribe, name="unsubscribe"),
    # --- The life of a decision ---------------------------------------------------------------------------------------
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/delete/",
        lifecycle.decision_delete,
        name="decision-delete",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/call-off/",
        lifecycle.decision_call_off,
        name="decision-call-off",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/copy/",
        lifecycle.decision_copy,
        name="decision-copy",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/pin/", lifecycle.decision_pin, name="decision-pin"
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/remind/",
        lifecycle.decision_remind,
        name="decision-remind",
    ),
    path("search/", search.search, name="search"),
    # --- Telling others -----------------------------------------------------------------------------------------------
    path("results/<str:token>/", sharing.published_result, name="published-result"),
    path("results/<str:token>/embed/", sharing.published_result_embed, name="published-result-embed"),
    path("results/<str:token>/picture.png", sharing.published_result_picture, name="published-result-picture"),
    path("results/<str:token>/report/", reports.published_result_report, name="published-result-report"),
    path("decisions.atom", feeds.public_decisions, name="public-feed"),
    path("communities/<int:community_id>/decisions.atom", feeds.public_decisions, name="community-feed"),
    path("communities/<int:community_id>/calendar.ics", feeds.community_calendar, name="community-calendar"),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/calendar.ics",
        feeds.decision_calendar,
        name="decision-calendar",
    ),
    path("oembed/", sharing.oembed, name="oembed"),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/embed/",
        sharing.decision_embed,
        name="decision-embed",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/report/",
        reports.decision_report,
        name="decision-report",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/picture.png",
        sharing.decision_picture,
        name="decision-picture",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/results/publish/",
        sharing.result_publish,
        name="result-publish",
    ),
    path(
        "communities/<int:community_id>/decisions/<int:decision_id>/results/withdraw/",
        sharing.result_withdraw,
        name="result-withdraw",
    ),
    # --- Webhooks -----------------------------------------------------------------------------------------------------
    path("communities/<int:community_id>/webhooks/", webhooks.community_webhooks, name="community-webhooks"),
    path("communities/<int:community_id>/webhooks/<int:webhook_id>/test/", webhooks.webhook_test, name="webhook-test"),
    path(
        "communities/<int:community_id>/webhooks/<int:webhook_id>/secret/",
        webhooks.webhook_secret,
        name="webhook-secret",
    ),
    path(
        "communities/<int:community_id>/webhooks/<int:webhook_id>/delete/",
        webhooks.webhook_delete,
        name="webhook-delete",
    ),
    # --- One's own account --------------------------------------------------------------------------------------------
    path("profile/data/", account.own_data, name="own-data"),
    path("profile/close/", account.close_account, name="close-account"),
]
