// Where on the canvas each member is: the places of the layout, moved and zoomed.
import { radiiOf } from "./circles.js";

const MARGIN = 40; // pixels that the whole picture leaves free at each side
const CLOSEST = 1.6; // that a whole picture is shown
const SMALLEST = 1.2; // radius in pixels
const NEAR = 12; // pixels beside a circle that still mean it

export class View {
  transform = { k: 1, x: 0, y: 0 };
  width = 0;
  height = 0;
  places = null; // x and y of each member, one after the other
  isMoved = false; // by somebody: then it stays where they put it
  #radii = null;

  // The numbers that circles stand for. Under a topic they shrink: the largest of all stays the measure.
  setNumbers(numbers) {
    this.most ??= numbers.reduce((most, number) => Math.max(most, number), 0);
    this.#radii = radiiOf(numbers, this.most);
  }

  get isReady() {
    return Boolean(this.places && this.#radii && this.width);
  }

  x(i) {
    return this.places[2 * i] * this.transform.k + this.transform.x;
  }

  y(i) {
    return this.places[2 * i + 1] * this.transform.k + this.transform.y;
  }

  radius(i) {
    return Math.max(this.#radii[i] * this.transform.k, SMALLEST);
  }

  contains(x, y, margin = 0) {
    return x >= -margin && y >= -margin && x <= this.width + margin && y <= this.height + margin;
  }

  // Whoever of `members` is at a point, or close to it; else null.
  at(x, y, members) {
    let [found, least] = [null, NEAR];
    for (const i of members) {
      const far = Math.hypot(this.x(i) - x, this.y(i) - y) - this.radius(i);
      if (far < least) [found, least] = [i, far];
    }
    return found;
  }

  // The transform that shows all of `members`, to the right of what is `covered`.
  whole(members, covered) {
    const xs = members.map((i) => this.places[2 * i]);
    const ys = members.map((i) => this.places[2 * i + 1]);
    const [left, right] = [least(xs), -least(xs.map((x) => -x))];
    const [top, bottom] = [least(ys), -least(ys.map((y) => -y))];
    const k = Math.min(
      (this.width - covered - 2 * MARGIN) / Math.max(right - left, MARGIN),
      (this.height - 2 * MARGIN) / Math.max(bottom - top, MARGIN),
      CLOSEST,
    );
    const x = (this.width + covered) / 2 - ((left + right) / 2) * k;
    return { k, x, y: this.height / 2 - ((top + bottom) / 2) * k };
  }
}

const least = (numbers) => numbers.reduce((one, other) => Math.min(one, other), Infinity);
