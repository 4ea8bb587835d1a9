// Pages that follow what happens on the server.
//
// An element with data-live-source="ADDRESS" listens to the server-sent events there, for as long as it is on the page.
// With data-live-include="SELECTOR" the address is asked for with the value of that field, which says what the page shows:
// the server then tells at once what is newer, and nothing that the page has.
// An event named N refreshes every fragment with data-live-on="N" (or several names), which asks for itself by htmx:
//   <div id="result" data-live-on="result" data-quiet hx-get="..." hx-trigger="live, every 5s" hx-swap="outerHTML">
// An event that comes with the fragment's content needs no asking: it is put on the page by the rules for answers
// (refreshing.js, by htmx:beforeSwap); a fragment with data-live-pushed="N" is replaced by it.
// The events "phase", "calculated" and "own" are handed on to the body, where fragments
// that ask for themselves by "... from:body" hear them, as they do of an answer's HX-Trigger.
// The polling in that trigger is for when events don't come through. With data-quiet, which every fragment has that asks
// for itself, nobody is told by a message when that fails: a line before the fragment says that it may be out of date.
import { element } from "./elements.js";
import { Stream } from "./streams.js";

const fragments = () => [...document.querySelectorAll("[data-live-on]")];
const namesOf = (fragment) => fragment.dataset.liveOn.split(" ");
const HANDED_ON = ["phase", "calculated", "own"];
const names = () => new Set([...fragments().flatMap(namesOf), ...HANDED_ON]);

const ask = (fragment) => fragment.dispatchEvent(new CustomEvent("live"));

function refresh(name, content) {
  const pushed = content && document.querySelector(`[data-live-pushed="${name}"]`);
  if (pushed) put(pushed, content, "outerHTML");
  else if (HANDED_ON.includes(name)) document.body.dispatchEvent(new CustomEvent(name));
  for (const fragment of fragments()) {
    if (!namesOf(fragment).includes(name)) continue;
    if (content) put(fragment, content);
    else ask(fragment);
  }
}

// What a fragment asked for before it was given newer content; the answer may be older than that.
const overtaken = new WeakSet();
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (overtaken.has(detail.requestConfig.elt)) detail.shouldSwap = false;
});
document.addEventListener("htmx:afterRequest", ({ detail }) => overtaken.delete(detail.elt));

function put(fragment, content, swapStyle = "innerHTML") {
  const detail = { target: fragment, elt: fragment, serverResponse: content, shouldSwap: true, requestConfig: { elt: fragment } };
  overtaken.delete(fragment);
  fragment.dispatchEvent(new CustomEvent("htmx:beforeSwap", { bubbles: true, detail }));
  if (detail.shouldSwap) window.htmx.swap(fragment, content, { swapStyle, swapDelay: 0, settleDelay: 0 });
  if (fragment.matches(".htmx-request")) overtaken.add(fragment);
  document.dispatchEvent(new CustomEvent("put", { detail: fragment }));
}

// The server compares the viewer with whoever is signed in: what is pushed is for the one for whom the page was made.
function addressOf({ dataset }) {
  const address = new URL(dataset.liveSource, location.href);
  const field = dataset.liveInclude && document.querySelector(dataset.liveInclude);
  if (field) address.searchParams.set(field.name, field.value);
  address.searchParams.set("viewer", document.body.dataset.viewer ?? "");
  return address;
}

for (const place of document.querySelectorAll("[data-live-source]")) {
  const heard = (name, content) => {
    refresh(name, content);
    if (!content) return;
    stream.succeed();
    signAll(false);
  };
  const stream = new Stream(place, { address: () => addressOf(place), names, onEvent: heard });
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
addEventListener("online", () => fragments().forEach(ask));
document.addEventListener("htmx:sendError", ({ detail }) => {
  if (detail.elt.matches("[data-live-on]")) signAll(true);
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) signAll(false);
});
if (!navigator.onLine) signAll(true);
