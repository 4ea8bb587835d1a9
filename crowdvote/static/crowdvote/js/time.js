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
    if (number || parts.length > 0) parts.push(number && count(number, unit));
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ") || count(0, "second");
}

function textOf(form, moment, seconds) {
  if (form === "relative") return ago(seconds);
  if (form === "countdown") return remaining(Math.max(0, Math.ceil(seconds)));
  return (formats[form] ?? formats.datetime).format(moment);
}

function show(time) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const seconds = (moment - Date.now()) / 1000;
  if (!time.title) time.title = full.format(moment);
  const text = textOf(time.dataset.time, moment, seconds);
  if (time.textContent !== text) time.textContent = text;
  if (time.dataset.time === "countdown") countDown(time, seconds);
}

// Tells fragments (hx-trigger="elapsed") when a moment comes that the page saw coming.
function countDown(time, seconds) {
  const { dataset } = time;
  if (seconds > 0) dataset.seenRunning = "true";
  else if (!dataset.elapsed) {
    dataset.elapsed = "true";
    if (dataset.seenRunning) time.dispatchEvent(new CustomEvent("elapsed", { bubbles: true }));
  }
}

const showAll = (root) => {
  for (const time of root.querySelectorAll("time[data-time]")) show(time);
};

showAll(document);
// At once, before it settles: nobody is to see the time in another zone first.
document.addEventListener("htmx:afterSwap", () => showAll(document));
document.addEventListener("htmx:load", ({ detail }) => {
  if (detail.elt.parentElement) showAll(detail.elt.parentElement);
});
setInterval(() => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-time=relative], time[data-time=countdown]")) show(time);
}, 1000);
