// Moving about in the picture by mouse, fingers and keys, and choosing somebody in it.
import { select, zoom, zoomIdentity } from "./d3-gestures.js";

const STEP = 50; // pixels that an arrow key moves
const ARROW_KEYS = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

export class Gestures {
  #canvas;
  #network;
  #view;
  #card;
  #zoom;

  // `card` may lie over the picture. `onMove` is told of each movement.
  constructor(canvas, { network, view, card, buttons, onMove }) {
    this.#canvas = select(canvas);
    this.#network = network;
    this.#view = view;
    this.#card = card;
    this.#zoom = zoom()
      .scaleExtent([0.02, 12])
      .clickDistance(4)
      .duration(matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250)
      .on("start", ({ sourceEvent }) => canvas.classList.toggle("is-dragging", sourceEvent?.type === "mousedown"))
      .on("zoom", ({ transform, sourceEvent }) => {
        view.transform = transform;
        if (sourceEvent) view.isMoved = true;
        onMove();
      })
      .on("end", () => canvas.classList.remove("is-dragging"));
    this.#canvas.call(this.#zoom);
    this.#listen(canvas);
    buttons.addEventListener("click", ({ target }) => this.#press(target.closest("[data-zoom]")?.dataset.zoom));
  }

  // Shows all that is visible, beside the card on the chosen one, where it lies over the picture.
  fit() {
    if (!this.#view.isReady) return;
    const covered = this.#card.offsetWidth < this.#view.width / 2 ? this.#card.offsetWidth : 0;
    const { k, x, y } = this.#view.whole(this.#members(), covered);
    this.#canvas.call(this.#zoom.transform, zoomIdentity.translate(x, y).scale(k));
  }

  // Brings a member to the middle, close enough to be told from others.
  centre(i) {
    if (!this.#view.isReady) return;
    const { places, transform, width, height } = this.#view;
    const k = Math.max(transform.k, 1);
    const [x, y] = [width / 2 - places[2 * i] * k, height / 2 - places[2 * i + 1] * k];
    this.#view.isMoved = true;
    this.#canvas.call(this.#zoom.transform, zoomIdentity.translate(x, y).scale(k));
  }

  #members() {
    return [...this.#network.members.keys()].filter((i) => this.#network.isVisible(i));
  }

  #at({ offsetX, offsetY }) {
    return this.#view.isReady ? this.#view.at(offsetX, offsetY, this.#members()) : null;
  }

  #listen(canvas) {
    canvas.addEventListener("click", (event) => this.#network.choose(this.#at(event)));
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons) return;
      const found = this.#at(event);
      canvas.classList.toggle("is-over", found !== null);
      this.#network.point(found);
    });
    canvas.addEventListener("pointerleave", () => this.#network.point(null));
    canvas.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && this.#type(event.key)) event.preventDefault();
    });
  }

  // Says whether the key means something here.
  #type(key) {
    if (key in ARROW_KEYS) this.#moveBy(...ARROW_KEYS[key]);
    else if (key === "+" || key === "=") this.#zoomBy(1.3);
    else if (key === "-") this.#zoomBy(1 / 1.3);
    else if (key === "0") this.fit();
    else if (key === "Escape") this.#network.choose(null);
    else return false;
    return true;
  }

  #press(name) {
    if (name === "in") this.#zoomBy(1.4);
    else if (name === "out") this.#zoomBy(1 / 1.4);
    else if (name === "fit") this.fit();
  }

  #zoomBy(factor) {
    this.#view.isMoved = true;
    this.#canvas.call(this.#zoom.scaleBy, factor);
  }

  #moveBy(x, y) {
    this.#view.isMoved = true;
    this.#canvas.call(this.#zoom.translateBy, x / this.#view.transform.k, y / this.#view.transform.k);
  }
}
