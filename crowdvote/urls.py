from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from crowdvote.api.schema import schema
from crowdvote.api.views import GraphQLView
from crowdvote.operations import log_viewer
from crowdvote.pages import views

# It asks for a token itself, of whoever comes with a session cookie.
graphql = csrf_exempt(GraphQLView.as_view(schema=schema, allow_queries_via_get=True))

handler500 = "crowdvote.pages.views.failed"
urlpatterns = [
    path("", views.home, name="home"),
    path("example/", views.home_example, name="home-example"),
    path("docs/", views.docs, name="docs"),
    path("privacy/", views.privacy, name="privacy"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("verify/crowdvote_verify.py", views.verifier, name="verifier"),
    path(".well-known/crowdvote-key", views.signing_key, name="signing-key"),
    path("graphql/", graphql, name="graphql"),
    # Not left to a redirect, which a POST does not follow.
    path("graphql", graphql, name="graphql-without-slash"),
    path("", include("accounts.urls")),
    path("", include("democracy.urls")),
    path("admin/events/", log_viewer.event_log, name="event-log"),
    path("admin/", admin.site.urls),
]
if settings.DEBUG_TOOLBAR:
    urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))
