// Starts GraphiQL on the page that the server rendered: the address of the API is its data attribute. It opens with the
// query, variables and name that the page's address gives, or else with an example of this site.
"use strict";

const example = (name) => document.getElementById(name).content.textContent.trim();

// Signing in in another window changes the token, and this page goes on.
const withToken = (address, request) => {
  const token = /(?:^|; )csrftoken=([^;]*)/u.exec(document.cookie)?.[1];
  return fetch(address, token ? { ...request, headers: { ...request.headers, "X-CSRFToken": token } } : request);
};

// What is returned is shown even where tabs of an earlier visit are kept.
const opening = () => {
  const asked = new URLSearchParams(location.search);
  if (asked.has("query")) {
    return { query: asked.get("query"), variables: asked.get("variables") ?? "", operationName: asked.get("operationName") ?? undefined };
  }
  if (localStorage.getItem("graphiql:tabState") !== null) return {};
  return { query: example("example-query"), variables: example("example-variables") };
};

const place = document.getElementById("graphiql");
const { url } = place.dataset;
const socket = new URL(url, location.href);
socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const page = React.createElement(GraphiQL, {
  fetcher: GraphiQL.createFetcher({ url, subscriptionUrl: socket.href, fetch: withToken }),
  defaultQuery: example("example-query"),
  plugins: [GraphiQLPluginExplorer.explorerPlugin()],
  defaultEditorToolsVisibility: "variables",
  shouldPersistHeaders: false,
  ...opening(),
});
ReactDOM.createRoot(place).render(page);
