// Starts GraphiQL on the page that the server rendered: the address of the API is its data attribute. It opens with the
// query, variables and name that the page's address gives, or else with an example of this site.
"use strict";

const example = (name) => document.getElementById(name).content.textContent.trim();

// Signing in in another window changes the token, and this page goes on.
const withToken = (address, request) => {
  const token = /(?:^|; )csrftoken=([^;]*)/u.exec(document.cookie)?.[1];
  return fetch(address, token ? { ...request, headers: { ...request.headers, "X-CSRFToken": token } } : request);
};

// What the address asks for is shown even where tabs of an earlier visit are kept. Otherwise the kept one that was shown last
// is told by its content, without which GraphiQL opens another.
const opening = () => {
  const asked = new URLSearchParams(location.search);
  if (asked.has("query")) {
    return { query: asked.get("query"), variables: asked.get("variables") ?? "", operationName: asked.get("operationName") ?? undefined };
  }
  const kept = JSON.parse(localStorage.getItem("graphiql:tabState"));
  const shown = kept?.tabs[kept.activeTabIndex];
  if (shown) return { query: shown.query ?? "", variables: shown.variables ?? "" };
  return { query: example("example-query"), variables: example("example-variables") };
};

// The name of an editor's field, of which GraphiQL names only the part around it.
const nameOf = (editor) => {
  const tool = editor.closest(".graphiql-editor-tool");
  if (tool !== null) return ["Variables", "Headers"][[...tool.children].indexOf(editor.parentElement)];
  return editor.closest(".graphiql-response") === null ? "Query" : "Answer";
};

// Lines are wrapped, whatever the width. Keys reach all of an editor, and leave it.
const mendEditor = (editor) => {
  const field = editor.CodeMirror.getInputField();
  field.setAttribute("aria-label", nameOf(editor));
  // On phones it is no text area.
  if (field.tagName !== "TEXTAREA") field.setAttribute("role", "textbox");
  editor.CodeMirror.setOption("lineWrapping", true);
  editor.CodeMirror.addKeyMap({ Tab: false, "Shift-Tab": false });
  editor.CodeMirror.getScrollerElement().tabIndex = 0;
};

// GraphiQL makes its parts as they are needed.
const mend = (place) => {
  for (const editor of place.querySelectorAll("section .CodeMirror:not(.is-mended)")) {
    editor.classList.add("is-mended");
    mendEditor(editor);
  }
  for (const label of place.querySelectorAll(".graphiql-history-item-label[aria-label]")) label.removeAttribute("aria-label");
  for (const select of place.querySelectorAll(".graphiql-plugin select:not([aria-label])")) select.setAttribute("aria-label", "Kind of operation");
};

const place = document.getElementById("graphiql");
const { url } = place.dataset;
const socket = new URL(url, location.href);
socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const page = React.createElement(GraphiQL, {
  fetcher: GraphiQL.createFetcher({ url, subscriptionUrl: socket.href, fetch: withToken }),
  // Further tabs are empty: GraphiQL would put the example there without its variables.
  defaultQuery: "",
  plugins: [GraphiQLPluginExplorer.explorerPlugin()],
  defaultEditorToolsVisibility: "variables",
  shouldPersistHeaders: false,
  ...opening(),
});
ReactDOM.createRoot(place).render(page);
new MutationObserver(() => mend(place)).observe(place, { childList: true, subtree: true });
// On a phone the answer is below the query.
place.addEventListener("click", ({ target }) => {
  if (target.closest(".graphiql-execute-button") !== null) place.querySelector(".graphiql-response").scrollIntoView({ block: "nearest" });
});
