// The parts of d3 that lay out, as a module: its files are scripts that put what they have into `globalThis.d3`.
import "../../vendor/d3/d3-dispatch.min.js";
import "../../vendor/d3/d3-quadtree.min.js";
import "../../vendor/d3/d3-timer.min.js";
import "../../vendor/d3/d3-force.min.js";

export const { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } = globalThis.d3;
