// The layout of a network and how far each member's word reaches, away from the page: it stays fluent meanwhile.
//
// In:  {kind: "start", libraries, count, followings}  ->  {kind: "places", places, done} again and again
//      {kind: "reach", count, followings, topic}      ->  {kind: "reach", reach, topic}
// `followings` are pairs of positions one after the other (follower, followee); `places` are x and y likewise.
"use strict";

const TICKS = 300;
const SHOWN_EVERY = 40; // milliseconds

onmessage = ({ data }) => {
  if (data.kind === "reach") {
    const reach = reachOf(data.count, data.followings);
    postMessage({ kind: "reach", reach, topic: data.topic }, [reach.buffer]);
    return;
  }
  importScripts(...data.libraries);
  lay(data.count, data.followings);
};

function lay(count, followings) {
  const nodes = Array.from({ length: count }, () => ({}));
  const links = [];
  const degree = new Uint32Array(count);
  for (let i = 0; i < followings.length; i += 2) {
    links.push({ source: followings[i], target: followings[i + 1] });
    degree[followings[i]] += 1;
    degree[followings[i + 1]] += 1;
  }
  // Few members get more room each: their names are to be read at a glance.
  const room = count < 200 ? 3 : count < 800 ? 1.6 : 1;
  const simulation = d3
    .forceSimulation(nodes)
    .force("links", d3.forceLink(links).distance(40 * room))
    .force("apart", d3.forceManyBody().strength(({ index }) => -room * room * (40 + 3 * Math.min(degree[index], 60))).theta(1.1).distanceMax(1500))
    // Whoever neither follows nor is followed would drift away.
    .force("x", d3.forceX().strength(({ index }) => (degree[index] ? 0.04 : 0.5)))
    .force("y", d3.forceY().strength(({ index }) => (degree[index] ? 0.06 : 0.5)))
    .alphaDecay(1 - 0.001 ** (1 / TICKS))
    .stop();
  let shown = 0;
  const step = () => {
    const start = performance.now();
    while (simulation.alpha() > simulation.alphaMin() && performance.now() - start < SHOWN_EVERY) simulation.tick();
    const done = simulation.alpha() <= simulation.alphaMin();
    if (done || performance.now() - shown > SHOWN_EVERY) {
      shown = performance.now();
      const places = new Float32Array(2 * count);
      nodes.forEach((node, i) => places.set([node.x, node.y], 2 * i));
      postMessage({ kind: "places", places, done }, [places.buffer]);
    }
    if (!done) setTimeout(step, 0);
  };
  step();
}

// How many members follow each one, directly or through others: a set of bits for each, passed on until nothing changes.
function reachOf(count, followings) {
  const words = (count + 31) >> 5;
  const behind = Array.from({ length: count }, () => new Uint32Array(words));
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; i < followings.length; i += 2) {
      const from = behind[followings[i]];
      const to = behind[followings[i + 1]];
      const follower = followings[i];
      if (!(to[follower >> 5] & (1 << (follower & 31)))) {
        to[follower >> 5] |= 1 << (follower & 31);
        changed = true;
      }
      for (let w = 0; w < words; w += 1) {
        if (from[w] & ~to[w]) {
          to[w] |= from[w];
          changed = true;
        }
      }
    }
  }
  const reach = new Uint32Array(count);
  behind.forEach((bits, i) => {
    bits[i >> 5] &= ~(1 << (i & 31)); // somebody in a loop does not follow themselves
    for (let w = 0; w < words; w += 1) {
      for (let word = bits[w]; word; word &= word - 1) reach[i] += 1;
    }
  });
  return reach;
}
