// Pages that follow what happens on the server.
//
// An element with data-live-source="ADDRESS" listens to the server-sent events there, for as long as it is on the page.
// With data-live-include="SELECTOR" the address is asked for with the value of that field, which says what the page shows:
// the server then tells at once what is newer, and nothing that the page has.
// An event named N refreshes every fragment with data-live-on="N" (or several names), which asks for itself by htmx:
//   <div id="result" data-live-on="result" data-quiet hx-get="..." hx-trigger="live, every 5s" hx-swap="outerHTML">
// The polling in that trigger is for when events don't come through. With data-quiet, which every fragment has that asks
// for itself, nobody is told by a message when that fails: a line before the fragment says that it may be out of date.
const FIRST_WAIT = 500;
// Short, so that a page has what happens after a restart within two seconds; only pages that are looked at try at all.
const LONGEST_WAIT = 1_500;
// The server gives a sign of life every 20 seconds. Where two have failed to come the connection is dead, though neither
// side was told: a computer slept, or changed its network.
const LONGEST_SILENCE = 50_000;
const LOOK = 5_000;
// A server that answers, but with an error, is not asked more often than by polling.
const AFTER_REFUSAL = 10_000;
// Over HTTP/1.1 a browser has six connections to a host, in all its windows together, and a stream holds one for good: so
// many windows may listen, the others poll, or pages would wait for one another. Where a browser has no locks (a page
// over plain HTTP from another machine) nobody can count, and all poll.
const STREAMS = 4;

const refresh = (name) => {
  for (const part of document.querySelectorAll("[data-live-on]")) {
    if (part.dataset.liveOn.split(" ").includes(name)) part.dispatchEvent(new CustomEvent("live"));
  }
};
const names = () => new Set([...document.querySelectorAll("[data-live-on]")].flatMap((part) => part.dataset.liveOn.split(" ")));

function addressOf({ dataset }) {
  const address = new URL(dataset.liveSource, location.href);
  const field = dataset.liveInclude && document.querySelector(dataset.liveInclude);
  if (field) address.searchParams.set(field.name, field.value);
  return address;
}

// A place among the windows of this browser that listen: how to give it back, or null where all are taken.
async function takePlace() {
  for (let number = 0; number < STREAMS && navigator.locks; number += 1) {
    const leave = await new Promise((resolve) => {
      navigator.locks.request(`crowdvote-stream-${number}`, { ifAvailable: true }, (lock) =>
        lock ? new Promise((done) => resolve(done)) : resolve(null),
      );
    });
    if (leave) return leave;
  }
  return null;
}

function follow(place) {
  let events = null;
  let leave = null;
  let attempt = 0;
  let wait = FIRST_WAIT;
  let timer = 0;
  let heard = 0;

  async function connect() {
    disconnect("connecting");
    if (!place.isConnected) return;
    const mine = attempt;
    const taken = await takePlace();
    if (mine !== attempt) {
      taken?.();
      return;
    }
    if (!taken) {
      place.dataset.liveState = "polling";
      return;
    }
    leave = taken;
    heard = Date.now();
    events = new EventSource(addressOf(place));
    for (const name of [...names(), "alive"]) {
      events.addEventListener(name, () => {
        heard = Date.now();
        refresh(name);
      });
    }
    events.addEventListener("open", () => {
      heard = Date.now();
      place.dataset.liveState = "open";
    });
    // The server says that there is nothing more to come, or nothing any more for this reader.
    events.addEventListener("end", () => disconnect("ended"));
    events.addEventListener("error", () => lose());
  }

  function lose(pause = wait) {
    disconnect("lost");
    // Spread out, so that a server that starts again isn't asked by everybody at once.
    timer = setTimeout(connect, pause * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }

  function disconnect(state) {
    attempt += 1;
    clearTimeout(timer);
    events?.close();
    leave?.();
    events = leave = null;
    place.dataset.liveState = state;
  }

  connect();
  // Browsers allow few connections to one host: a page that nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (place.dataset.liveState === "ended") return;
    if (document.hidden) disconnect("paused");
    else connect();
  });
  addEventListener("online", () => {
    if (events || place.dataset.liveState === "lost") connect();
  });
  setInterval(() => {
    const isSilent = events && Date.now() - heard > LONGEST_SILENCE;
    if (isSilent || place.dataset.liveState === "polling") connect();
  }, LOOK);
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.elt.matches("[data-live-on]")) return;
    if (detail.successful) wait = FIRST_WAIT;
    // What an event told of could not be fetched: over a new connection the server tells of it again.
    else if (events) lose(detail.xhr.status ? AFTER_REFUSAL : wait);
  });
}

for (const place of document.querySelectorAll("[data-live-source]")) follow(place);

// Where what is live can't be asked for, a line says so at it, until it can.
function sign(part, isCutOff) {
  const shown = part.previousElementSibling?.matches(".cut-off") ? part.previousElementSibling : null;
  if (!isCutOff) shown?.remove();
  if (!isCutOff || shown) return;
  const line = document.createElement("p");
  line.className = "cut-off";
  line.setAttribute("role", "status");
  line.textContent = "No connection: this may be out of date. It goes on by itself.";
  part.before(line);
}
const signAll = (isCutOff) => document.querySelectorAll("[data-live-on]").forEach((part) => sign(part, isCutOff));
addEventListener("offline", () => signAll(true));
addEventListener("online", () => names().forEach(refresh));
document.addEventListener("htmx:sendError", ({ detail }) => detail.elt.matches("[data-live-on]") && signAll(true));
document.addEventListener("htmx:afterRequest", ({ detail }) => detail.successful && signAll(false));
if (!navigator.onLine) signAll(true);

// Only what changed is put on the page: where an answer has the data-version of what is shown, or is the same text as the
// answer before, the fragment and what somebody does in it are left alone.
const last = new Map();
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
const version = (text) => /^\s*(?:<!--[^]*?-->\s*)*<[^>]*\sdata-version="([^"]*)"/.exec(text)?.[1];
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, serverResponse } = event.detail;
  if (!target.id || !target.matches("[data-live-on]")) return;
  const shown = target.dataset.version;
  let isSame = shown === undefined ? last.get(target.id) === serverResponse : version(serverResponse) === shown;
  if (shown === undefined && !last.has(target.id)) isSame = asSent(target.innerHTML) === asSent(serverResponse);
  if (isSame) event.detail.shouldSwap = false;
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
let unfolded = new Set();
document.addEventListener("htmx:beforeSwap", (event) => {
  unfolded = new Set([...event.detail.target.querySelectorAll("details[id][open]")].map((details) => details.id));
});
document.addEventListener("htmx:load", (event) => {
  for (const id of unfolded) {
    const details = document.getElementById(id);
    if (details && event.detail.elt.contains(details)) details.open = true;
  }
});
