// Draws a network on a canvas: lines with arrowheads, circles, and the names and topics for which there is room.
import { watchColours } from "./colours.js";
import { placeAlong, placeBeside, Room } from "./labels.js";

const NAMES = 60;
const TOPICS = 80; // arrows that say theirs
const LONGEST_TEXT = 32; // letters of a name or of topics in the picture; all of them are in the list
const ARROWS = 2_500; // followings up to which each has its arrowhead at any zoom
const CLOSE = 1.6; // zoom from which each has it, and says its topics
const DRAWN_WHILE_MOVING = 12_000; // followings; more of them are thinned out until the picture stands still
const REST = 120; // milliseconds after which it stands still
const HEAD = 6; // pixels
const EDGE = 4; // pixels of the canvas on which nothing is written
const HALO = 26; // pixels around a circle with a name
const NAME_FONT = "600 12px";
const TOPIC_FONT = "500 11px";

export class Drawing {
  #canvas;
  #context;
  #network;
  #view;
  #numbers;
  #colours;
  #widths = new Map();
  #isAsked = false;
  #moving = 0;

  // `numbers` tells the number that each circle stands for.
  constructor(canvas, network, view, numbers) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#network = network;
    this.#view = view;
    this.#numbers = numbers;
    watchColours(canvas, (colours) => {
      this.#colours = colours;
      this.draw();
    });
    document.fonts.addEventListener("loadingdone", () => {
      this.#widths.clear();
      this.draw();
    });
  }

  // Draws soon, once for all who ask.
  draw() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      if (this.#view.isReady) this.#paint();
    });
  }

  // Draws quickly while something moves, and in full when it rests.
  move() {
    clearTimeout(this.#moving);
    this.#moving = setTimeout(() => {
      this.#moving = 0;
      this.draw();
    }, REST);
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const ratio = devicePixelRatio || 1;
    Object.assign(this.#view, { width: clientWidth, height: clientHeight });
    [this.#canvas.width, this.#canvas.height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    this.draw();
  }

  #paint() {
    const ratio = devicePixelRatio || 1;
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.clearRect(0, 0, this.#view.width, this.#view.height);
    this.#paintLines();
    if (this.#network.focus !== null) this.#paintTies(this.#network.focus);
    const texts = [...this.#placeTexts()];
    this.#paintCircles(texts);
    for (const text of texts) this.#write(text);
    this.#context.globalAlpha = 1;
  }

  // --- Lines ---------------------------------------------------------------------------------------------------------

  // All followings but those of whoever is in focus.
  #paintLines() {
    const { active, focus, visible } = this.#network;
    const every = this.#moving ? Math.ceil(active.length / DRAWN_WHILE_MOVING) : 1;
    const hasHeads = active.length <= ARROWS || this.#view.transform.k > CLOSE || visible !== null;
    const [lines, heads] = [new Path2D(), new Path2D()];
    for (let e = 0; e < active.length; e += every) {
      const [from, to] = active[e];
      if (from !== focus && to !== focus && this.#isShown(active[e])) this.#trace(from, to, lines, hasHeads ? heads : null);
    }
    this.#context.lineWidth = 1;
    this.#context.strokeStyle = this.#context.fillStyle = this.#colours.edge;
    this.#context.globalAlpha = focus === null ? Math.min(Math.max(1_500 / active.length, 0.1), 0.45) : 0.1;
    this.#context.stroke(lines);
    this.#context.globalAlpha *= 2;
    this.#context.fill(heads);
  }

  // The followings of whoever is in focus: to whom they follow, and from their followers.
  #paintTies(focus) {
    const out = { colour: this.#colours.accent, lines: new Path2D(), heads: new Path2D() };
    const into = { colour: this.#colours["star-edge"], lines: new Path2D(), heads: new Path2D() };
    const ties = this.#network.active.filter((one) => this.#isTie(one, focus) && this.#isShown(one));
    for (const [from, to] of ties) {
      const { lines, heads } = from === focus ? out : into;
      this.#trace(from, to, lines, heads);
    }
    const areMany = ties.length > 60;
    this.#context.lineWidth = areMany ? 1 : 1.6;
    this.#context.globalAlpha = areMany ? 0.5 : 1;
    for (const { colour, lines, heads } of [out, into]) {
      this.#context.strokeStyle = this.#context.fillStyle = colour;
      this.#context.stroke(lines);
      this.#context.fill(heads);
    }
  }

  #isTie([from, to], i) {
    return from === i || to === i;
  }

  #isShown([from, to]) {
    return this.#network.isVisible(from) && this.#network.isVisible(to);
  }

  // A line from one circle's middle to the other's edge, and its arrowhead.
  #trace(from, to, lines, heads) {
    const view = this.#view;
    const [x1, y1, x2, y2] = [view.x(from), view.y(from), view.x(to), view.y(to)];
    const isBeside = Math.max(x1, x2) < 0 || Math.max(y1, y2) < 0 || Math.min(x1, x2) > view.width || Math.min(y1, y2) > view.height;
    if (isBeside) return;
    const far = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [ux, uy] = [(x2 - x1) / far, (y2 - y1) / far];
    const [tipX, tipY] = [x2 - ux * view.radius(to), y2 - uy * view.radius(to)];
    lines.moveTo(x1, y1);
    lines.lineTo(tipX, tipY);
    if (!heads || far < 16) return;
    const [backX, backY, half] = [tipX - ux * HEAD, tipY - uy * HEAD, HEAD * 0.55];
    heads.moveTo(tipX, tipY);
    heads.lineTo(backX - uy * half, backY + ux * half);
    heads.lineTo(backX + uy * half, backY - ux * half);
    heads.closePath();
  }

  // --- Circles -------------------------------------------------------------------------------------------------------

  // Those out of focus give way to texts.
  #paintCircles(texts) {
    const room = new Room();
    for (const { box } of texts) room.addBox(box);
    for (const [i, x, y, r] of this.#circlesInSight()) {
      const isHidden = !this.#network.isInFocus(i) && !room.isFree([x - r, y - r, x + r, y + r]);
      if (!isHidden) this.#paintCircle(i, x, y, r);
    }
  }

  *#circlesInSight() {
    const [network, view] = [this.#network, this.#view];
    for (let i = 0; i < network.count; i += 1) {
      const [x, y, r] = [view.x(i), view.y(i), view.radius(i)];
      if (network.isVisible(i) && view.contains(x, y, r)) yield [i, x, y, r];
    }
  }

  #paintCircle(i, x, y, r) {
    const { focus, chosen } = this.#network;
    const isMarked = i === focus || i === chosen;
    const context = this.#context;
    context.globalAlpha = this.#network.isInFocus(i) ? 1 : 0.25;
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fillStyle = this.#colourOf(i);
    context.fill();
    if (r < 2 && !isMarked) return;
    context.lineWidth = isMarked ? 3 : 1;
    context.strokeStyle = isMarked ? this.#colours.text : this.#colours.surface;
    context.stroke();
  }

  #colourOf(i) {
    const { me, focus, members } = this.#network;
    if (i === me) return this.#colours.good;
    if (i === focus) return this.#colours.star;
    return members[i][3] === "lobbyist" ? this.#colours.muted : this.#colours.accent;
  }

  // --- Texts ---------------------------------------------------------------------------------------------------------

  // Names, and what arrows are about: each has its place beside all circles in focus and all texts before it.
  *#placeTexts() {
    const room = new Room();
    const circles = [...this.#circlesInSight()].filter(([i]) => this.#network.isInFocus(i));
    for (const [, x, y, r] of circles) room.addCircle(x, y, r);
    yield* this.#placeNames(room, circles);
    yield* this.#placeTopics(room);
  }

  // Of whoever is in focus, then one's own, then of the largest circles.
  *#placeNames(room, circles) {
    const { focus, me, members } = this.#network;
    const numbers = this.#numbers();
    const order = ([a], [b]) => (b === focus) - (a === focus) || (b === me) - (a === me) || numbers[b] - numbers[a] || a - b;
    let left = NAMES;
    for (const [i, x, y, r] of circles.toSorted(order).slice(0, 4 * NAMES)) {
      const text = this.#textOf(members[i][2], NAME_FONT, this.#colours.text);
      text.box = placeBeside(room, { x, y, r }, text.width, this.#frame());
      if (!text.box) continue;
      // Another's name so close by would be taken for theirs.
      if (focus === null) room.addCircle(x, y, r + HALO);
      yield text;
      left -= 1;
      if (left === 0) break;
    }
  }

  *#placeTopics(room) {
    let left = TOPICS;
    for (const following of this.#tiesWithTopics()) {
      const text = this.#textOf(this.#network.topicsOf(following), TOPIC_FONT, this.#colours.muted);
      if (!text.text) continue;
      const [from, to] = following.map((i) => [this.#view.x(i), this.#view.y(i)]);
      text.box = placeAlong(room, from, to, text.width, this.#frame());
      if (!text.box) continue;
      yield text;
      left -= 1;
      if (left === 0) break;
    }
  }

  // Those of whoever is in focus, unless they are many; from close by all of them.
  #tiesWithTopics() {
    const { active, focus } = this.#network;
    const isClose = this.#view.transform.k > CLOSE && !this.#moving;
    if (focus === null) return isClose ? active.filter((one) => this.#isShown(one)) : [];
    const ties = active.filter((one) => this.#isTie(one, focus) && this.#isShown(one));
    return ties.length > TOPICS / 2 ? [] : ties;
  }

  #frame() {
    return [EDGE, EDGE, this.#view.width - EDGE, this.#view.height - EDGE];
  }

  #textOf(whole, font, colour) {
    const text = short(whole);
    const key = font + text;
    this.#context.font = `${font} ${this.#colours.font}`;
    if (!this.#widths.has(key)) this.#widths.set(key, this.#context.measureText(text).width);
    return { text, font, colour, width: this.#widths.get(key) };
  }

  #write({ text, font, colour, box: [x, top, , bottom] }) {
    const context = this.#context;
    const y = (top + bottom) / 2;
    context.font = `${font} ${this.#colours.font}`;
    context.textBaseline = "middle";
    context.globalAlpha = 1;
    context.lineWidth = 3.5;
    context.lineJoin = "round";
    context.strokeStyle = this.#colours.surface;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }
}

function short(text) {
  const letters = [...text];
  return letters.length > LONGEST_TEXT ? `${letters.slice(0, LONGEST_TEXT - 1).join("").trimEnd()}…` : text;
}
