// The parts of d3 that move and zoom, as a module: its files are scripts that put what they have into `globalThis.d3`.
import "../../vendor/d3/d3-dispatch.min.js";
import "../../vendor/d3/d3-timer.min.js";
import "../../vendor/d3/d3-color.min.js";
import "../../vendor/d3/d3-ease.min.js";
import "../../vendor/d3/d3-interpolate.min.js";
import "../../vendor/d3/d3-selection.min.js";
import "../../vendor/d3/d3-drag.min.js";
import "../../vendor/d3/d3-transition.min.js";
import "../../vendor/d3/d3-zoom.min.js";

export const { select, zoom, zoomIdentity } = globalThis.d3;
