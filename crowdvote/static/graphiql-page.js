"use strict";
// Starts GraphiQL on the page that the server rendered: the address and the CSRF token are its data attributes.
(() => {
  const place = document.getElementById("graphiql");
  const { url, csrf } = place.dataset;
  const socket = new URL(url, location.href);
  socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const page = React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url, subscriptionUrl: socket.href, headers: { "X-CSRFToken": csrf } }),
    defaultQuery: document.getElementById("default-query").content.textContent,
    plugins: [GraphiQLPluginExplorer.explorerPlugin()],
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: false,
  });
  ReactDOM.createRoot(place).render(page);
})();
