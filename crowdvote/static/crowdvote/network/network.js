// A network, and what of it is looked at: the followings on a topic, a member who is chosen or pointed at, how far around.
// Members are known by their position. Whoever shows it listens for "change", and for "point" when the mouse is over another;
// "topic" comes before "change", with other followings.
export class Network extends EventTarget {
  topic = "";
  chosen = null;
  pointed = null;
  steps = 0; // around the chosen one, 0: everybody
  visible = null; // the positions that are shown, or null for all
  #neighbours = null;

  // As the server sends it: see `followings_to_draw` in democracy/reading/followings.py.
  constructor({ members, topics, followings, me }) {
    super();
    Object.assign(this, { members, topics, me, all: followings, active: followings });
    this.followers = new Uint32Array(members.length);
    this.reach = new Uint32Array(members.length);
  }

  get count() {
    return this.members.length;
  }

  get isEmpty() {
    return this.count === 0 || this.all.length === 0;
  }

  // Who is looked at: everything else steps back.
  get focus() {
    return this.pointed ?? this.chosen;
  }

  isVisible(i) {
    return this.visible === null || this.visible.has(i);
  }

  isInFocus(i) {
    return this.focus === null || i === this.focus || this.neighbours(this.focus).has(i);
  }

  // Whom a member follows and who follows them.
  neighbours(i) {
    this.#neighbours ??= neighboursOfEach(this.count, this.active);
    return this.#neighbours[i];
  }

  topicsOf([, , number]) {
    return this.topics[number].join(", ");
  }

  choose(i) {
    this.chosen = i;
    this.pointed = null;
    this.#limit();
  }

  point(i) {
    if (i === this.pointed) return;
    this.pointed = i;
    this.#tell("point");
  }

  showTopic(topic) {
    this.topic = topic;
    const counts = ([, , number]) => this.topics[number].length === 0 || this.topics[number].includes(topic);
    this.active = topic ? this.all.filter(counts) : this.all;
    this.#neighbours = null;
    this.#tell("topic");
    this.#limit();
  }

  showSteps(steps) {
    this.steps = steps;
    this.#limit();
  }

  setCounts({ followers, reach }) {
    Object.assign(this, { followers, reach });
    this.#tell("change");
  }

  #limit() {
    this.visible = this.steps && this.chosen !== null ? this.#around(this.chosen, this.steps) : null;
    this.#tell("change");
  }

  #around(i, steps) {
    let found = new Set([i]);
    for (let step = 0; step < steps; step += 1) {
      const next = new Set(found);
      for (const one of found) for (const neighbour of this.neighbours(one)) next.add(neighbour);
      found = next;
    }
    return found;
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

function neighboursOfEach(count, followings) {
  const neighbours = Array.from({ length: count }, () => new Set());
  for (const [from, to] of followings) {
    neighbours[from].add(to);
    neighbours[to].add(from);
  }
  return neighbours;
}
