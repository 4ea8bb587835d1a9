// Pages that follow what happens on the server.
//
// An element with data-live-source="ADDRESS" listens to the server-sent events there, for as long as it is on the page.
// With data-live-include="SELECTOR" the address is asked for with the value of that field, which says what the page shows:
// the server then tells at once what is newer, and nothing that the page has.
// An event named N refreshes every fragment with data-live-on="N" (or several names), which asks for itself by htmx:
//   <div id="result" data-live-on="result" data-quiet hx-get="..." hx-trigger="live, every 5s" hx-swap="outerHTML">
// The polling in that trigger is for when events don't come through. With data-quiet, which every fragment has that asks
// for itself, nobody is told by a message when that fails: a line before the fragment says that it may be out of date.
import { element } from "./elements.js";
import { Stream } from "./streams.js";

const fragments = () => [...document.querySelectorAll("[data-live-on]")];
const namesOf = (fragment) => fragment.dataset.liveOn.split(" ");
const names = () => new Set(fragments().flatMap(namesOf));

function refresh(name) {
  for (const fragment of fragments()) {
    if (namesOf(fragment).includes(name)) fragment.dispatchEvent(new CustomEvent("live"));
  }
}

function addressOf({ dataset }) {
  const address = new URL(dataset.liveSource, location.href);
  const field = dataset.liveInclude && document.querySelector(dataset.liveInclude);
  if (field) address.searchParams.set(field.name, field.value);
  return address;
}

for (const place of document.querySelectorAll("[data-live-source]")) {
  const stream = new Stream(place, { address: () => addressOf(place), names, onEvent: refresh });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.elt.matches("[data-live-on]")) return;
    if (detail.successful) stream.succeed();
    else stream.fail(detail.xhr.status);
  });
}

// Where what is live can't be asked for, a line says so at it, until it can.
function sign(fragment, isCutOff) {
  const before = fragment.previousElementSibling;
  const shown = before?.matches(".cut-off") ? before : null;
  if (!isCutOff) shown?.remove();
  else if (!shown) {
    fragment.before(element("p", { class: "cut-off", role: "status" }, "No connection: this may be out of date. It goes on by itself."));
  }
}

const signAll = (isCutOff) => fragments().forEach((fragment) => sign(fragment, isCutOff));
addEventListener("offline", () => signAll(true));
addEventListener("online", () => names().forEach(refresh));
document.addEventListener("htmx:sendError", ({ detail }) => {
  if (detail.elt.matches("[data-live-on]")) signAll(true);
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) signAll(false);
});
if (!navigator.onLine) signAll(true);
