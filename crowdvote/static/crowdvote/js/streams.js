// Server-sent events, as few windows of a browser as may listen to them, and connected again whenever it makes sense.
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

// A place among the windows of this browser that listen: how to give it back, or null where all are taken.
async function takePlace() {
  for (let number = 0; number < STREAMS && navigator.locks; number += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the next place is asked for only where this one is taken
    const leave = await lockPlace(number);
    if (leave) return leave;
  }
  return null;
}

function lockPlace(number) {
  return new Promise((resolve) => {
    navigator.locks.request(`crowdvote-stream-${number}`, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      // The lock is held until this is resolved.
      return new Promise((leave) => {
        resolve(leave);
      });
    });
  });
}

// Listens at an address for as long as `place` is on the page; the attribute data-live-state says how that goes: "connecting",
// "open", "polling" (not listening), "lost", "paused" (nobody looks) or "ended" (there is nothing more to come).
export class Stream {
  #place;
  #address;
  #names;
  #onEvent;
  #events = null;
  #leave = null;
  #attempt = 0;
  #wait = FIRST_WAIT;
  #timer = 0;
  #heard = 0;

  // `address()` and `names()`, the events to listen for, are asked for at each connection.
  constructor(place, { address, names, onEvent }) {
    this.#place = place;
    this.#address = address;
    this.#names = names;
    this.#onEvent = onEvent;
    this.#connect();
    // Browsers allow few connections to one host: a page that nobody looks at gives its own back.
    document.addEventListener("visibilitychange", () => {
      if (this.#state === "ended") return;
      if (document.hidden) this.#disconnect("paused");
      else this.#connect();
    });
    addEventListener("online", () => {
      if (this.#events || this.#state === "lost") this.#connect();
    });
    setInterval(() => {
      const isSilent = this.#events && Date.now() - this.#heard > LONGEST_SILENCE;
      if (isSilent || this.#state === "polling") this.#connect();
    }, LOOK);
  }

  // What an event told of was fetched.
  succeed() {
    this.#wait = FIRST_WAIT;
  }

  // What an event told of could not be fetched: over a new connection the server tells of it again.
  fail(status) {
    if (this.#events) this.#lose(status ? AFTER_REFUSAL : this.#wait);
  }

  get #state() {
    return this.#place.dataset.liveState;
  }

  async #connect() {
    this.#disconnect("connecting");
    if (!this.#place.isConnected) return;
    const mine = this.#attempt;
    const taken = await takePlace();
    if (mine !== this.#attempt) taken?.();
    else if (taken) this.#listen(taken);
    else this.#place.dataset.liveState = "polling";
  }

  #listen(leave) {
    this.#leave = leave;
    this.#heard = Date.now();
    this.#events = new EventSource(this.#address());
    for (const name of [...this.#names(), "alive"]) {
      this.#events.addEventListener(name, ({ data }) => {
        this.#heard = Date.now();
        this.#onEvent(name, data);
      });
    }
    this.#events.addEventListener("open", () => {
      this.#heard = Date.now();
      this.#place.dataset.liveState = "open";
    });
    // The server says that there is nothing more to come, or nothing any more for this reader.
    this.#events.addEventListener("end", () => this.#disconnect("ended"));
    this.#events.addEventListener("error", () => this.#lose());
  }

  #lose(pause = this.#wait) {
    this.#disconnect("lost");
    // Spread out, so that a server that starts again isn't asked by everybody at once.
    this.#timer = setTimeout(() => this.#connect(), pause * (0.5 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  #disconnect(state) {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#events?.close();
    this.#leave?.();
    this.#events = null;
    this.#leave = null;
    this.#place.dataset.liveState = state;
  }
}
