// What every page does: menus that close, messages that can be put away, words for what went wrong on the way.

import { button, element } from "./elements.js";

// Whoever goes on elsewhere, by mouse or keyboard, leaves a menu behind.
for (const kind of ["click", "focusin"]) {
  addEventListener(kind, ({ target }) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
  });
}
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// A suggestion put into its field: <button type="button" data-fill="field id" data-value="text">
addEventListener("click", (event) => {
  const suggestion = event.target.closest?.("[data-fill]");
  const field = suggestion && document.getElementById(suggestion.dataset.fill);
  if (!field) return;
  field.value = suggestion.dataset.value;
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// On a phone the tabs scroll: the open one is in sight.
for (const tabs of document.querySelectorAll(".tabs")) {
  const open = tabs.querySelector("[aria-current]");
  if (open) tabs.scrollLeft = open.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - open.offsetWidth) / 2;
}

// Another page of a list is read from its top, and the keyboard goes on from there.
document.addEventListener("htmx:afterSwap", (event) => {
  if (!event.detail.requestConfig?.elt.matches(".pagination a")) return;
  const list = document.getElementById(event.detail.requestConfig.target.id);
  if (!list) return;
  list.tabIndex = -1;
  list.focus({ preventScroll: true });
  if (list.getBoundingClientRect().top < 0) list.scrollIntoView();
});

const messages = document.getElementById("messages");

function addClosers() {
  for (const message of messages.querySelectorAll(".message:not(:has(> .dismiss))")) {
    const attributes = { class: "button quiet small icon-only dismiss", "aria-label": "Dismiss" };
    const close = button("×", attributes, () => {
      message.remove();
      document.getElementById("content").focus({ preventScroll: true });
    });
    message.append(close);
  }
}

function say(text) {
  messages.replaceChildren(element("div", { class: "message error" }, element("p", {}, text)));
}

if (messages) {
  addClosers();
  new MutationObserver(addClosers).observe(messages, { childList: true });
}

// What only refreshes what is shown tries again by itself; what somebody did is answered.
const isRefresh = (event) => event.detail.elt.matches("[data-quiet]");
document.addEventListener("htmx:sendError", (event) => {
  if (!isRefresh(event)) say("The server could not be reached. Nothing was saved; try again in a moment.");
});
document.addEventListener("htmx:responseError", (event) => {
  if (isRefresh(event)) return;
  const { status } = event.detail.xhr;
  if (status === 401) return; // session.js says what is to be done.
  if (status === 403) say("You may not do this, or you were signed out. Load the page again.");
  else if (status === 404) say("This is no longer there. Load the page again.");
  else say("Something went wrong on our side. Look whether it was saved before you try again.");
});
