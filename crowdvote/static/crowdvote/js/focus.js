// What somebody presses is often replaced by the answer: they go on from what stands in its place, else from its heading.
let pressed = null;

document.addEventListener("htmx:beforeRequest", (event) => {
  const { activeElement } = document;
  if (!event.detail.elt.contains(activeElement)) return;
  const { id, localName, textContent } = activeElement;
  pressed = { by: event.detail.elt, id, localName, textContent };
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (pressed === null || event.detail.requestConfig?.elt !== pressed.by) return;
  const { id, localName, textContent } = pressed;
  pressed = null;
  // A field that asked for it, or a dialog, has the focus already.
  if (document.activeElement !== document.body) return;
  const place = document.getElementById(event.detail.target.id);
  const next =
    (id && document.getElementById(id)) ||
    [...(place?.querySelectorAll(localName) ?? [])].find((one) => one.textContent === textContent) ||
    place?.querySelector("h2");
  if (next?.localName === "h2") next.tabIndex = -1;
  next?.focus();
});
