// Fragments that refresh themselves take nothing from whoever reads them or does something in them.

// Only what changed is put on the page: where an answer has the data-version of what is shown, or is the same text as the
// answer before, the fragment and what somebody does in it are left alone.
const last = new Map();

function isShown(target, answer) {
  if (target.dataset.version !== undefined) return versionOf(answer) === target.dataset.version;
  if (last.has(target.id)) return last.get(target.id) === answer;
  return asSent(target.innerHTML) === asSent(answer);
}

function versionOf(text) {
  return /^\s*(?:<!--[^]*?-->\s*)*<[^>]*\sdata-version="([^"]*)"/u.exec(text)?.[1];
}

// The first answer often says what the page said already; scripts have only written times in the reader's zone since.
function asSent(html) {
  const sent = document.createElement("template");
  sent.innerHTML = html;
  for (const time of sent.content.querySelectorAll("time")) {
    time.removeAttribute("title");
    time.textContent = "";
  }
  return sent.innerHTML.trim();
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { target, serverResponse } = detail;
  if (!target.id || !target.matches("[data-live-on]")) return;
  if (isShown(target, serverResponse)) detail.shouldSwap = false;
  last.set(target.id, serverResponse);
});

// What somebody does in a fragment that refreshes itself goes first: a refresh that came in between would take their form
// off the page, and with it the place for what is answered. That answer, or the next event, brings the news.
document.addEventListener(
  "htmx:beforeSwap",
  (event) => {
    const { requestConfig, target } = event.detail;
    if (!requestConfig.elt.matches("[data-quiet]") || !target.querySelector(".htmx-request:not([data-quiet])")) return;
    event.detail.shouldSwap = false;
    event.stopPropagation();
  },
  { capture: true },
);

// What was unfolded stays so in the fragment that comes in its place.
let unfolded = [];
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  unfolded = [...detail.target.querySelectorAll("details[id][open]")].map((details) => details.id);
});
document.addEventListener("htmx:load", ({ detail }) => {
  for (const id of unfolded) {
    const details = document.getElementById(id);
    if (details && detail.elt.contains(details)) details.open = true;
  }
});
