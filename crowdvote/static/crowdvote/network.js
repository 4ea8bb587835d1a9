// Who follows whom, drawn on a canvas. Layout and reach come from a worker; without scripts the list below does it all.
const LABELS = 60;
const LONGEST_LABEL = 32; // letters of a name or of topics in the picture; all of them are in the list
const DRAWN_WHILE_MOVING = 12_000; // followings; more of them are thinned out until the picture stands still
const ARROWS_TOLD = 80; // arrows in sight that say their topics
const ARROWS = 2_500; // followings up to which each has its arrowhead at any zoom

const place = document.querySelector("[data-network]");
if (place) start(place);

async function start(place) {
  const frame = place.querySelector(".network-frame");
  const canvas = place.querySelector("canvas");
  const note = place.querySelector(".network-note");
  const card = place.querySelector(".network-card");
  const find = place.querySelector("#network-find");
  const topicField = place.querySelector("#network-topic");
  const reachField = place.querySelector("#network-reach");
  place.hidden = false;

  let data;
  try {
    const answer = await fetch(place.dataset.source, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    data = await answer.json();
  } catch (error) {
    const why = error.message === "401" ? "You are signed out." : "";
    note.textContent = `${why} The picture could not be loaded. The list below has the same.`;
    return;
  }
  const { members, topics, followings, me } = data;
  const count = members.length;
  if (count === 0 || followings.length === 0) {
    note.textContent = place.dataset.empty ?? "Nobody follows anybody yet.";
    place.classList.add("network-is-empty");
    return;
  }

  // --- What is shown -------------------------------------------------------------------------------------------------

  let places = null;
  let reach = new Uint32Array(count);
  let topic = "";
  let active = followings; // those that count for the topic
  let visible = null; // positions that are shown, or null for all
  let chosen = null;
  let over = null;
  let near = new Set();
  const view = { k: 1, x: 0, y: 0 };
  let isMoved = false;
  let isMoving = false;

  const counts = (following) => !topic || topics[following[2]].length === 0 || topics[following[2]].includes(topic);
  const pairs = (some) => Int32Array.from(some.flatMap(([from, to]) => [from, to]));

  const worker = new Worker(place.dataset.worker);
  worker.onmessage = ({ data: news }) => {
    if (news.kind === "places") {
      places = news.places;
      if (!isMoved) fit();
      note.hidden = news.done;
      place.dataset.state = news.done ? "done" : "drawing";
    } else if (news.topic === topic) {
      reach = news.reach;
      describe();
    }
    draw();
  };
  worker.onerror = () => (note.textContent = "The picture could not be drawn. The list below has the same.");
  const libraries = place.dataset.libraries.split(" ").map((path) => new URL(path, location.href).href);
  worker.postMessage({ kind: "start", libraries, count, followings: pairs(followings) });

  function filter() {
    active = topic ? followings.filter(counts) : followings;
    worker.postMessage({ kind: "reach", count, followings: pairs(active), topic });
    limit();
  }

  // The chosen one's neighbours, one or two steps away, whichever way they follow.
  function limit() {
    near = new Set();
    for (const [from, to] of active) {
      if (from === chosen) near.add(to);
      if (to === chosen) near.add(from);
    }
    const steps = Number(reachField.value);
    visible = null;
    if (steps && chosen !== null) {
      visible = new Set([chosen, ...near]);
      if (steps === 2) {
        for (const [from, to] of active) {
          if (near.has(from)) visible.add(to);
          if (near.has(to)) visible.add(from);
        }
      }
    }
    describe();
    draw();
  }

  const isVisible = (i) => visible === null || visible.has(i);

  // --- Colours -------------------------------------------------------------------------------------------------------

  const probe = document.createElement("span");
  probe.hidden = true;
  // In forced colours every text has the same, whatever it was given.
  probe.style.forcedColorAdjust = "none";
  frame.append(probe);
  let colours = {};
  function readColours() {
    for (const name of ["text", "muted", "edge", "accent", "star", "star-edge", "surface", "good"]) {
      probe.style.color = `var(--${name})`;
      colours[name] = getComputedStyle(probe).color;
    }
    colours.font = getComputedStyle(canvas).fontFamily;
    draw();
  }
  new MutationObserver(readColours).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", readColours);
  }

  // --- Drawing -------------------------------------------------------------------------------------------------------

  const context = canvas.getContext("2d");
  let width = 0;
  let height = 0;
  let isAsked = false;

  function draw() {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      if (places && width) paint();
    });
  }

  const sx = (i) => places[2 * i] * view.k + view.x;
  const sy = (i) => places[2 * i + 1] * view.k + view.y;
  // The more circles, the smaller, or those of a large community would cover one another.
  const largest = Math.min(Math.max(300 / Math.sqrt(count), 4), 15);
  const smallest = count > 500 ? 0.45 : 0.8;
  const radius = (i) => (3 + largest * Math.sqrt(reach[i] / count)) * Math.min(Math.max(view.k, smallest), 2.5);

  function paint() {
    const ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const focus = over ?? chosen;
    const every = isMoving ? Math.ceil(active.length / DRAWN_WHILE_MOVING) : 1;
    const arrows = active.length <= ARROWS || view.k > 1.6 || visible !== null;

    context.lineWidth = 1;
    context.strokeStyle = context.fillStyle = colours.edge;
    context.globalAlpha = focus === null ? (active.length > 3000 ? 0.22 : 0.45) : 0.1;
    const heads = new Path2D();
    const lines = new Path2D();
    for (let e = 0; e < active.length; e += every) {
      const [from, to] = active[e];
      if (from !== focus && to !== focus && isVisible(from) && isVisible(to)) trace(from, to, lines, arrows ? heads : null);
    }
    context.stroke(lines);
    if (arrows) {
      context.globalAlpha = Math.min(context.globalAlpha * 2, 1);
      context.fill(heads);
    }

    if (focus !== null) {
      const out = [new Path2D(), new Path2D()];
      const into = [new Path2D(), new Path2D()];
      const told = [];
      for (const following of active) {
        const [from, to] = following;
        if ((from !== focus && to !== focus) || !isVisible(from) || !isVisible(to)) continue;
        trace(from, to, ...(from === focus ? out : into));
        told.push(following);
      }
      context.lineWidth = told.length > 60 ? 1 : 1.6;
      context.globalAlpha = told.length > 60 ? 0.5 : 1;
      for (const [colour, [line, head]] of [[colours.accent, out], [colours["star-edge"], into]]) {
        context.strokeStyle = context.fillStyle = colour;
        context.stroke(line);
        context.fill(head);
      }
      context.globalAlpha = 1;
      if (told.length <= 40) for (const [from, to, about] of told) tell(from, to, topics[about].join(", "));
    }

    context.globalAlpha = 1;
    // Close enough, each arrow says what it is about.
    if (focus === null && view.k > 1.5 && !isMoving) {
      let room = ARROWS_TOLD;
      for (const [from, to, about] of active) {
        if (room > 0 && isVisible(from) && isVisible(to) && tell(from, to, topics[about].join(", "))) room -= 1;
      }
    }
    for (let i = 0; i < count; i += 1) {
      if (!isVisible(i)) continue;
      const x = sx(i);
      const y = sy(i);
      const r = radius(i);
      if (x < -r || y < -r || x > width + r || y > height + r) continue;
      const isNear = focus === null || i === focus || (focus === chosen ? near.has(i) : isTied(focus, i));
      context.globalAlpha = isNear ? 1 : 0.25;
      context.beginPath();
      context.arc(x, y, r, 0, 2 * Math.PI);
      context.fillStyle = i === me ? colours.good : i === focus ? colours.star : members[i][3] === "lobbyist" ? colours.muted : colours.accent;
      context.fill();
      context.lineWidth = i === focus || i === chosen ? 3 : 1;
      context.strokeStyle = i === focus || i === chosen ? colours.text : colours.surface;
      context.stroke();
    }
    context.globalAlpha = 1;
    label(focus);
  }

  let tied = null;
  function isTied(focus, i) {
    if (tied?.of !== focus || tied.among !== active) {
      tied = { of: focus, among: active, all: new Set() };
      for (const [from, to] of active) {
        if (from === focus) tied.all.add(to);
        if (to === focus) tied.all.add(from);
      }
    }
    return tied.all.has(i);
  }

  // A line from one circle's edge to the other's, and its arrowhead.
  function trace(from, to, lines, heads) {
    const [x1, y1, x2, y2] = [sx(from), sy(from), sx(to), sy(to)];
    if ((x1 < 0 && x2 < 0) || (y1 < 0 && y2 < 0) || (x1 > width && x2 > width) || (y1 > height && y2 > height)) return;
    const far = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [ux, uy] = [(x2 - x1) / far, (y2 - y1) / far];
    const [tipX, tipY] = [x2 - ux * radius(to), y2 - uy * radius(to)];
    lines.moveTo(x1, y1);
    lines.lineTo(tipX, tipY);
    if (!heads || far < 16) return;
    const size = 6;
    heads.moveTo(tipX, tipY);
    heads.lineTo(tipX - ux * size - uy * size * 0.55, tipY - uy * size + ux * size * 0.55);
    heads.lineTo(tipX - ux * size + uy * size * 0.55, tipY - uy * size - ux * size * 0.55);
    heads.closePath();
  }

  function write(text, x, y, colour, align) {
    context.textAlign = align;
    context.lineWidth = 3.5;
    context.lineJoin = "round";
    context.strokeStyle = colours.surface;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  const short = (text) => {
    const letters = [...text];
    return letters.length > LONGEST_LABEL ? `${letters.slice(0, LONGEST_LABEL - 1).join("").trimEnd()}…` : text;
  };

  function tell(from, to, text) {
    const [x, y] = [sx(from) * 0.4 + sx(to) * 0.6, sy(from) * 0.4 + sy(to) * 0.6];
    if (!text || x < 0 || y < 0 || x > width || y > height) return false;
    context.font = `500 11px ${colours.font}`;
    context.textBaseline = "middle";
    write(short(text), x, y, colours.muted, "center");
    return true;
  }

  // Names of those who matter most in sight, where they don't cover one another.
  function label(focus) {
    context.font = `600 12px ${colours.font}`;
    context.textBaseline = "middle";
    const order = [];
    for (let i = 0; i < count; i += 1) {
      if (!isVisible(i) || sx(i) < 0 || sy(i) < 0 || sx(i) > width || sy(i) > height) continue;
      if (focus !== null && i !== focus && !(focus === chosen ? near.has(i) : isTied(focus, i))) continue;
      order.push(i);
    }
    order.sort((a, b) => (b === focus) - (a === focus) || (b === me) - (a === me) || reach[b] - reach[a] || a - b);
    const taken = [];
    for (const i of order.slice(0, 4 * LABELS)) {
      const name = short(members[i][2]);
      const w = context.measureText(name).width;
      const away = radius(i) + 4;
      // To the left of its circle where it would be cut off on the right.
      const x = sx(i) + away + w > width && sx(i) - away - w > 0 ? sx(i) - away - w : sx(i) + away;
      const y = sy(i);
      if (taken.some(([tx, ty, tw]) => x < tx + tw && tx < x + w && Math.abs(y - ty) < 15)) continue;
      taken.push([x, y, w]);
      write(name, x, y, colours.text, "start");
      if (taken.length >= LABELS) break;
    }
  }

  // --- Moving about --------------------------------------------------------------------------------------------------

  let rest = 0;
  function moved() {
    isMoved = isMoving = true;
    clearTimeout(rest);
    rest = setTimeout(() => {
      isMoving = false;
      draw();
    }, 120);
    draw();
  }

  function zoom(factor, x = width / 2, y = height / 2) {
    const k = Math.min(Math.max(view.k * factor, 0.02), 12);
    view.x = x - ((x - view.x) * k) / view.k;
    view.y = y - ((y - view.y) * k) / view.k;
    view.k = k;
    moved();
  }

  function fit() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < count; i += 1) {
      if (!isVisible(i)) continue;
      left = Math.min(left, places[2 * i]);
      right = Math.max(right, places[2 * i]);
      top = Math.min(top, places[2 * i + 1]);
      bottom = Math.max(bottom, places[2 * i + 1]);
    }
    // Beside the card on the chosen one, where it lies over the picture.
    const covered = card.offsetWidth < width / 2 ? card.offsetWidth : 0;
    view.k = Math.min((width - covered - 60) / Math.max(right - left, 40), (height - 60) / Math.max(bottom - top, 40), 2);
    view.x = (width + covered) / 2 - ((left + right) / 2) * view.k;
    view.y = height / 2 - ((top + bottom) / 2) * view.k;
    draw();
  }

  function at(x, y) {
    let best = null;
    let least = 12;
    for (let i = 0; i < count; i += 1) {
      if (!isVisible(i)) continue;
      const far = Math.hypot(sx(i) - x, sy(i) - y) - radius(i);
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  const fingers = new Map();
  let start = null;
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, where(event));
    start = fingers.size === 1 ? where(event) : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = where(event);
    const before = fingers.get(event.pointerId);
    if (!before) {
      if (!places) return;
      const found = event.pointerType === "mouse" ? at(x, y) : null;
      canvas.classList.toggle("is-over", found !== null);
      if (found !== over) {
        over = found;
        draw();
      }
      return;
    }
    if (start && Math.hypot(x - start[0], y - start[1]) > 4) {
      start = null;
      canvas.classList.add("is-dragging");
    }
    if (fingers.size === 1 && !start) {
      view.x += x - before[0];
      view.y += y - before[1];
      moved();
    } else if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const [was, is] = [Math.hypot(before[0] - other[0], before[1] - other[1]), Math.hypot(x - other[0], y - other[1])];
      zoom(is / (was || 1), (x + other[0]) / 2, (y + other[1]) / 2);
    }
    if (fingers.size !== 1 || !start) fingers.set(event.pointerId, [x, y]);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      fingers.delete(event.pointerId);
      canvas.classList.remove("is-dragging");
      if (kind === "pointerup" && start && places) choose(at(...where(event)));
      start = null;
    });
  }
  canvas.addEventListener("pointerleave", () => {
    over = null;
    draw();
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...where(event));
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [50, 0], ArrowRight: [-50, 0], ArrowUp: [0, 50], ArrowDown: [0, -50] }[event.key];
    if (by) {
      view.x += by[0];
      view.y += by[1];
      moved();
    } else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0" && places) fit();
    else if (event.key === "Escape") choose(null);
    else return;
    event.preventDefault();
  });
  frame.querySelector(".network-zoom").addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (!button || !places) return;
    if (button.dataset.zoom === "fit") fit();
    else zoom(button.dataset.zoom === "in" ? 1.4 : 1 / 1.4);
  });

  // --- Choosing ------------------------------------------------------------------------------------------------------

  function choose(i) {
    chosen = i;
    over = null;
    limit();
  }

  const known = (text) => {
    const wanted = text.trim().replace(/^@/, "").toLowerCase();
    if (!wanted) return null;
    const ways = [
      (member) => member[1] === wanted || `${member[2]} (@${member[1]})`.toLowerCase() === wanted || member[2].toLowerCase() === wanted,
      (member) => member[2].toLowerCase().startsWith(wanted) || member[1].startsWith(wanted),
    ];
    for (const way of ways) {
      const found = members.findIndex(way);
      if (found >= 0) return found;
    }
    return null;
  };
  const names = place.querySelector("#network-names");
  find.addEventListener(
    "focus",
    () => {
      for (const [, handle, name] of members.slice(0, 3000)) {
        const option = document.createElement("option");
        option.value = `${name} (@${handle})`;
        names.append(option);
      }
    },
    { once: true },
  );
  find.addEventListener("change", () => {
    const found = known(find.value);
    choose(found);
    note.hidden = found !== null || !find.value.trim();
    note.textContent = note.hidden ? "" : "Nobody here has this name or handle.";
    if (found === null || !places) return;
    view.k = Math.max(view.k, 1);
    view.x = width / 2 - places[2 * found] * view.k;
    view.y = height / 2 - places[2 * found + 1] * view.k;
    moved();
  });
  topicField.addEventListener("change", () => {
    topic = topicField.value;
    filter();
  });
  reachField.addEventListener("change", () => {
    limit();
    if (places) fit();
  });

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const people = (number) => `${number.toLocaleString("en")} member${number === 1 ? "" : "s"}`;

  function describe() {
    card.hidden = chosen === null;
    card.replaceChildren();
    if (chosen === null) return;
    const [id, handle, name, mark] = members[chosen];
    const direct = active.filter(([, to]) => to === chosen);
    const own = active.filter(([from]) => from === chosen);
    const link = element("a", name);
    link.href = `${place.dataset.member}${id}/`;
    const head = element("p");
    head.append(link, " ", element("span", `@${handle}`, "handle"));
    if (mark) head.append(" ", element("span", mark === "manager" ? "Manager" : "Lobbyist", "badge"));
    if (chosen === me) head.append(" ", element("span", "You", "badge good"));
    const about = topic ? ` on ${topic}` : "";
    const through = reach[chosen] - new Set(direct.map(([from]) => from)).size;
    card.append(
      head,
      element("p", `Followed by ${people(direct.length)}${about}${through > 0 ? ` and by ${through.toLocaleString("en")} more through others` : ""}.`),
      element("p", `Follows ${people(own.length)}${own.length ? `: ${own.slice(0, 6).map(([, to]) => members[to][2]).join(", ")}${own.length > 6 ? " …" : ""}` : ""}.`),
    );
    const close = element("button", "Close", "button quiet small");
    close.type = "button";
    close.addEventListener("click", () => {
      choose(null);
      canvas.focus();
    });
    card.append(close);
  }

  // --- Off we go -----------------------------------------------------------------------------------------------------

  new ResizeObserver(() => {
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (places && !isMoved) fit();
    draw();
  }).observe(canvas);
  readColours();
  filter();
}
