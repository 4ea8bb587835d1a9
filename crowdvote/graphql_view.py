"""GraphQL over HTTP. Subscriptions over WebSocket are routed in `crowdvote.asgi`."""

from django.http import HttpRequest, HttpResponse
from strawberry.django.views import AsyncGraphQLView

from crowdvote.graphiql import graphiql_page


class GraphQLView(AsyncGraphQLView):
    async def render_graphql_ide(self, request: HttpRequest) -> HttpResponse:
        return await graphiql_page(request)
