// Times in the reader's zone and language; without scripts they are in UTC. <time datetime="..." data-time="FORM">
const formats = {
  datetime: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
  date: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
  time: new Intl.DateTimeFormat(undefined, { timeStyle: "short" }),
};
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const language = document.documentElement.lang || "en";
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

const count = (number, unit) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(number);

function ago(seconds) {
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

// The two largest units that say something: "2 days 4 hours", "3 minutes 20 seconds".
function remaining(seconds) {
  const parts = [];
  for (const [unit, size] of UNITS) {
    const number = Math.floor(seconds / size);
    seconds -= number * size;
    if (number || parts.length) parts.push(number && count(number, unit));
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ") || count(0, "second");
}

function show(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const seconds = (moment - Date.now()) / 1000;
  const form = element.dataset.time;
  if (!element.title) element.title = full.format(moment);
  let text;
  if (form === "relative") text = ago(seconds);
  else if (form === "countdown") text = remaining(Math.max(0, Math.ceil(seconds)));
  else text = (formats[form] ?? formats.datetime).format(moment);
  if (element.textContent !== text) element.textContent = text;
  if (form === "countdown" && seconds <= 0 && !element.dataset.elapsed) {
    element.dataset.elapsed = "true";
    // For fragments: hx-trigger="elapsed".
    if (element.dataset.seenRunning) element.dispatchEvent(new CustomEvent("elapsed", { bubbles: true }));
  } else if (form === "countdown" && seconds > 0) element.dataset.seenRunning = "true";
}

const showAll = (root) => {
  for (const element of root.querySelectorAll("time[data-time]")) show(element);
};

showAll(document);
// At once, before it settles: nobody is to see the time in another zone first.
document.addEventListener("htmx:afterSwap", () => showAll(document));
document.addEventListener("htmx:load", (event) => event.detail.elt.parentElement && showAll(event.detail.elt.parentElement));
setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-time=relative], time[data-time=countdown]")) show(element);
}, 1000);
