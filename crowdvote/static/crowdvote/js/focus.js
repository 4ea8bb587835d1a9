// What somebody presses, or is on, is often replaced by an answer: they go on from what stands in its place, else from its
// heading. An answer that says why it refused something has the focus itself (autofocus).
const left = new WeakMap();

// Where they are, if it is in `place`, when what `elt` asked for comes.
function remember(elt, place) {
  const { activeElement } = document;
  if (!place.contains(activeElement)) return;
  const { id, localName, textContent, type, name, value } = activeElement;
  left.set(elt, { id, localName, textContent, type, name, value });
}

// A star is known by its choice and number, a button by its words, a field by its name alone: its value may be another now.
function isAlike(one, was) {
  if (one.localName !== was.localName || one.type !== was.type || one.name !== was.name) return false;
  return ["radio", "checkbox"].includes(was.type) ? one.value === was.value : one.textContent === was.textContent;
}

function likeIn(place, was) {
  return [...place.querySelectorAll(was.localName)].find((one) => isAlike(one, was));
}

// Whoever has the keyboard where `was` stood, in what came in the place of `target`.
function successorOf(was, target) {
  const same = was.id && document.getElementById(was.id);
  // A heading can be given the focus only where it says so.
  if (same?.localName === "h2") same.tabIndex = -1;
  if (same) return same;
  const place = document.getElementById(target.id);
  if (!place) return null;
  const like = likeIn(place, was);
  if (like) return like;
  const heading = place.querySelector("h2");
  if (heading) heading.tabIndex = -1;
  return heading;
}

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  left.delete(detail.elt);
  // Now: a button that is pressed may be disabled until the answer comes, and loses the focus by that.
  remember(detail.elt, detail.elt);
});
// And now: while a fragment asked for itself, somebody may have come to it.
document.addEventListener("htmx:beforeSwap", ({ detail }) => remember(detail.requestConfig.elt, detail.target));

function goOn(asked, target) {
  const was = left.get(asked);
  left.delete(asked);
  // A dialog has the focus already.
  if (!was || document.activeElement !== document.body) return;
  // What only refreshes itself moves nothing under the reader.
  successorOf(was, target)?.focus({ preventScroll: asked.matches("[data-quiet]") });
}

// The answer is in place, and what waited for it can be pressed again.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  // What was unfolded is so again by now, and may have moved what has the focus out of sight.
  if (document.activeElement.matches("[autofocus]")) document.activeElement.scrollIntoView({ block: "center" });
  goOn(detail.requestConfig.elt, detail.target);
});
// As is what was pushed (live.js).
document.addEventListener("put", ({ detail }) => goOn(detail, detail));
