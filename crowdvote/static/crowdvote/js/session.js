// A session that ends while a page is open takes nothing from it: what is asked for then is answered with the event
// "signed-out" alone (accounts/returning.py). What was typed stays on the page; it is kept in this browser for an hour, too,
// for the same person only, and put back where the form is seen again after signing in (`?unsaved`).
// The first of the modules that change forms: it puts back what the server would have sent.
import { element } from "./elements.js";

const KEY = "crowdvote.unsaved";
const HOUR = 3_600_000;
const viewer = document.body.dataset.viewer ?? "";
const messages = document.getElementById("messages");

// --- The token of forms -------------------------------------------------------------------------------------------------

// Signing in changes it, and a page that was open meanwhile still has the one before.
const token = () => /(?:^|; )csrftoken=([^;]*)/u.exec(document.cookie)?.[1];
document.addEventListener(
  "submit",
  ({ target }) => {
    const field = target.elements.csrfmiddlewaretoken;
    if (field && token()) field.value = token();
  },
  { capture: true },
);
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (!token()) return;
  detail.headers["X-CSRFToken"] = token();
  if ("csrfmiddlewaretoken" in detail.parameters) detail.parameters.csrfmiddlewaretoken = token();
});

// --- Keeping what was typed ---------------------------------------------------------------------------------------------

const typedIn = new WeakSet();
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, ({ target }) => target.form?.method === "post" && typedIn.add(target.form));
}

// A form may come with what was typed in the one before.
const mark = (place) => place.querySelectorAll("form[data-typed]").forEach((form) => typedIn.add(form));
mark(document);
document.addEventListener("htmx:load", ({ detail }) => mark(detail.elt));

const typedForms = () => [...document.forms].filter((form) => typedIn.has(form));
const pathOf = (form) => new URL(form.getAttribute("action") ?? "", location.href).pathname;
const contentOf = (form) => ({
  action: pathOf(form),
  fields: [...new FormData(form)].filter(([name, value]) => name !== "csrfmiddlewaretoken" && typeof value === "string"),
});

function store(place, forms) {
  try {
    if (viewer && forms.length > 0) place.setItem(KEY, JSON.stringify({ viewer, at: Date.now(), forms }));
  } catch {
    // Storage is switched off or full: then what was typed is on this page alone.
  }
}
function take(place) {
  try {
    const kept = JSON.parse(place.getItem(KEY) ?? "null");
    place.removeItem(KEY);
    return kept && kept.viewer === viewer && Date.now() - kept.at < HOUR ? kept.forms : [];
  } catch {
    return [];
  }
}

// A ballot that is being written while another form withdraws or takes back one: the answer has both.
document.addEventListener("htmx:configRequest", ({ detail: { elt, target, parameters } }) => {
  const ballot = document.querySelector("#vote form");
  if (target.id !== "voting" || !ballot || ballot.contains(elt) || elt.localName !== "form" || !typedIn.has(ballot)) return;
  parameters.typed = String(new URLSearchParams(contentOf(ballot).fields));
});

// A form that leaves the page: it is not known yet whether it will be saved. Only the sign-in page knows that it was not.
document.addEventListener("submit", (event) => {
  const { target } = event;
  if (target.matches("form.signs-out")) take(localStorage);
  else if (!event.defaultPrevented && target.method === "post") store(sessionStorage, [contentOf(target)]);
});
function keepUnsaved() {
  try {
    const sent = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    if (sent && document.querySelector("[data-unsaved]")) localStorage.setItem(KEY, sent);
  } catch {
    // As above.
  }
}
keepUnsaved();

// --- A session that has ended -------------------------------------------------------------------------------------------

let isOver = false;
let isAsking = false;

document.addEventListener("signed-out", ({ target, detail }) => {
  const isRefresh = target.matches("[data-quiet]");
  isOver = true;
  isAsking = false;
  const acted = !isRefresh && target.closest("form[method=post]");
  if (acted) typedIn.add(acted);
  const typed = typedForms();
  store(localStorage, typed.map(contentOf));
  if (isRefresh && document.getElementById("signed-out")) return;
  say(detail, typed.length > 0);
  if (!isRefresh) document.querySelector("#signed-out a").focus();
});

function say({ text, action, address }, isTyped) {
  const link = element("a", { href: signInAddress(address, isTyped) }, action);
  const message = element("div", { id: "signed-out", class: "message warning" }, element("p", {}, text, " ", link));
  // Above a dialog, too, which lies over everything else.
  const dialog = document.querySelector("dialog[open] .dialog-body");
  document.getElementById("signed-out")?.remove();
  (dialog ?? messages).prepend(message);
}

// The sign-in page leads back to the page that is in its parameter `next`.
function signInAddress(address, isTyped) {
  const wanted = new URL(address, location.href);
  const next = new URL(wanted.searchParams.get("next"), location.href);
  if (isTyped) next.searchParams.set("unsaved", "");
  wanted.searchParams.set("next", next.pathname + next.search);
  return wanted.pathname + wanted.search;
}

// What was typed since the session ended goes along.
document.addEventListener("click", ({ target }) => {
  if (!target.closest?.("#signed-out a")) return;
  store(localStorage, typedForms().map(contentOf));
});

// Fragments that refresh themselves wait until somebody looks at the page again: they may have signed in elsewhere.
function look() {
  if (!document.hidden) isAsking = true;
}
document.addEventListener("visibilitychange", look);
addEventListener("focus", look);
document.addEventListener("htmx:configRequest", ({ detail }) => {
  // The server answers these after what somebody does.
  if (detail.elt.matches("[data-quiet]")) detail.headers["X-Refresh"] = "1";
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isOver && !isAsking && event.detail.elt.matches("[data-quiet]")) event.preventDefault();
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!isOver || !detail.successful) return;
  isOver = false;
  document.getElementById("signed-out")?.remove();
});

// --- Putting back -------------------------------------------------------------------------------------------------------

function putBack(form, fields) {
  const kept = Map.groupBy(fields, ([name]) => name);
  const values = new Map([...kept].map(([name, pairs]) => [name, pairs.map(([, value]) => value)]));
  drawRows(form, fields, values);
  for (const field of form.elements) {
    if (!field.name || field.name === "csrfmiddlewaretoken" || field.localName === "button") continue;
    fill(field, values.get(field.name));
    if (field.value && field.type !== "hidden") field.closest("details:not(.menu)")?.setAttribute("open", "");
  }
  typedIn.add(form);
}

// `values` are those of all fields of this name that have not been put back yet, if there were any.
function fill(field, values) {
  if (field.type === "radio") {
    if (values) field.checked = values.includes(field.value);
  } else if (field.type === "checkbox") field.checked = values?.includes(field.value) ?? false;
  else if (values?.length > 0) field.value = values.shift();
}

// Where there were other numbers of rows than are shown, the server draws them.
function drawRows(form, fields, values) {
  const rows = form.querySelector("[data-rows]");
  if (!rows) return;
  const { rows: name, rowsIn: target } = rows.dataset;
  const shown = [...form.elements].filter((field) => field.name === name).length;
  if (values.get(name)?.length === shown) return;
  const typed = new FormData();
  for (const [key, value] of [...fields, ["do", "as typed"]]) typed.append(key, value);
  window.htmx.ajax("POST", form.action, { target, swap: "outerHTML", values: typed });
}

const word = document.getElementById("unsaved");
if (word) {
  const address = new URL(location.href);
  address.searchParams.delete("unsaved");
  history.replaceState(history.state, "", address);
  for (const { action, fields } of take(localStorage)) {
    const form = [...document.forms].find((one) => one.method === "post" && pathOf(one) === action);
    if (!form) continue;
    putBack(form, fields);
    word.querySelector("p").textContent = "What you typed before you signed in is back. It is not saved yet.";
  }
}
