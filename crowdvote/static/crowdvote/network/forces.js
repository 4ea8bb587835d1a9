// The forces that lay a network out: ties are short, circles lie apart, and hubs have room for their names.
import { radiiOf } from "./circles.js";
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "./d3-layout.js";

const TICKS = 100;
const TICKS_APART = 20;
const GAP = 2; // between circles, in units of the layout
const HALF_A_NAME = 52; // pixels
const MOST_ROOM = 0.2; // of the picture, for names of hubs

// Few members get more room each: their names are to be read at a glance. Many are drawn inwards more, and take the form of
// the frame.
const SIZES = [
  { below: 200, scale: 3, inwards: 0.05, slant: 0.4 },
  { below: 800, scale: 1.6, inwards: 0.07, slant: 1 },
  { below: Infinity, scale: 1, inwards: 0.1, slant: 1.8 },
];

// Lays out in ticks: `tick()` takes one and says whether another is needed. `numbers` say how large the circles are,
// `frame` is the size of the picture in pixels.
export class Layout {
  #simulation;
  #numbers;
  #frame;
  #left = TICKS + TICKS_APART;

  constructor({ count, followings, numbers, frame }) {
    this.#numbers = numbers;
    this.#frame = frame;
    const links = linksOf(followings);
    this.#simulation = simulationOf(links, degreesOf(count, links), frame);
  }

  tick() {
    if (this.#left === TICKS_APART) this.#part();
    this.#left -= 1;
    this.#simulation.tick();
    return this.#left > 0;
  }

  places() {
    return Float32Array.from(this.#simulation.nodes().flatMap(({ x, y }) => [x, y]));
  }

  // At last only the circles push each other aside.
  #part() {
    for (const name of ["links", "apart", "x", "y"]) this.#simulation.force(name, null);
    const rooms = roomsOf(this.#numbers, sizeOf(this.#simulation.nodes()), this.#frame);
    this.#simulation.force("circles", forceCollide((_, i) => rooms[i]).iterations(2));
  }
}

function simulationOf(links, degree, frame) {
  const { scale, inwards, slant } = SIZES.find(({ below }) => degree.length < below);
  const apart = forceManyBody()
    .strength(({ index }) => -scale * scale * (40 + 3 * Math.min(degree[index], 60)))
    .theta(1.3)
    .distanceMax(1500);
  // Whoever neither follows nor is followed would drift away.
  const pull = (strength) => ({ index }) => (degree[index] ? strength * (1 + 2 / degree[index]) : 0.5);
  const form = Math.min(Math.max(frame.width / frame.height, 0.6), 1.8) ** slant;
  return forceSimulation(Array.from(degree, () => ({})))
    .force("links", forceLink(links).distance(40 * scale))
    .force("apart", apart)
    .force("x", forceX().strength(pull(inwards / form)))
    .force("y", forceY().strength(pull(inwards * form)))
    .alphaDecay(1 - 0.001 ** (1 / TICKS))
    .stop();
}

function linksOf(followings) {
  const links = [];
  for (let i = 0; i < followings.length; i += 2) links.push({ source: followings[i], target: followings[i + 1] });
  return links;
}

function degreesOf(count, links) {
  const degree = new Uint32Array(count);
  for (const { source, target } of links) {
    degree[source] += 1;
    degree[target] += 1;
  }
  return degree;
}

function sizeOf(nodes) {
  const extent = (axis) => {
    const [least, most] = nodes.reduce(([a, b], node) => [Math.min(a, node[axis]), Math.max(b, node[axis])], [0, 0]);
    return most - least;
  };
  return { width: extent("x"), height: extent("y") };
}

// How far from each circle's middle no other circle begins. The largest circles keep room for a name: so many of them that
// these rooms fill their part of the picture.
function roomsOf(numbers, size, frame) {
  const most = numbers.reduce((one, other) => Math.max(one, other), 0);
  const rooms = radiiOf(numbers, most).map((radius) => radius + GAP);
  const room = HALF_A_NAME * Math.max(size.width / frame.width, size.height / frame.height);
  const hubs = Math.floor((MOST_ROOM * size.width * size.height) / (Math.PI * room * room));
  const largest = [...numbers.keys()].toSorted((a, b) => numbers[b] - numbers[a]);
  for (const i of largest.slice(0, hubs)) rooms[i] = Math.max(rooms[i], room);
  return rooms;
}
