"""The GraphQL schema: the parts of every app, merged once."""

import strawberry
from strawberry_django.optimizer import DjangoOptimizerExtension


@strawberry.type
class Query:
    @strawberry.field(description="The address this CrowdVote is reached at; links in mails begin with it.")
    def site_url(self) -> str:
        from django.conf import settings

        return settings.SITE_URL


schema = strawberry.Schema(query=Query, extensions=[DjangoOptimizerExtension])
