// Names beside their circles, where they cover no circle and no other name.
const CELL = 48; // pixels
const HEIGHT = 15;
const GAP = 3;

// Room on the canvas: circles and boxes that are there already, found by the cells of a grid that they touch.
export class Room {
  #cells = new Map();

  addCircle(x, y, r) {
    this.#add({ x, y, r }, [x - r, y - r, x + r, y + r]);
  }

  addBox(box) {
    this.#add({ box }, box);
  }

  isFree(box) {
    for (const key of cellsOf(box)) {
      if (this.#cells.get(key)?.some((one) => touches(one, box))) return false;
    }
    return true;
  }

  #add(one, box) {
    for (const key of cellsOf(box)) {
      if (!this.#cells.has(key)) this.#cells.set(key, []);
      this.#cells.get(key).push(one);
    }
  }
}

function* cellsOf([left, top, right, bottom]) {
  for (let x = Math.floor(left / CELL); x <= Math.floor(right / CELL); x += 1) {
    for (let y = Math.floor(top / CELL); y <= Math.floor(bottom / CELL); y += 1) yield x * 100_003 + y;
  }
}

function touches({ x, y, r, box }, [left, top, right, bottom]) {
  if (box) return left < box[2] && box[0] < right && top < box[3] && box[1] < bottom;
  const [dx, dy] = [x - Math.min(Math.max(x, left), right), y - Math.min(Math.max(y, top), bottom)];
  return dx * dx + dy * dy < r * r;
}

// The box of a text beside a circle, if there is room in the frame; it is taken then. Else null.
export function placeBeside(room, { x, y, r }, width, frame) {
  return take(room, sidesOf(x, y, r + GAP, width), frame);
}

// The box of a text on a line between two points, nearer to the second.
export function placeAlong(room, [x1, y1], [x2, y2], width, frame) {
  const middles = [0.6, 0.5, 0.7, 0.4].map((share) => [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share]);
  return take(room, middles.map(([x, y]) => boxAt(x - width / 2, y - HEIGHT / 2, width)), frame);
}

function take(room, boxes, frame) {
  const box = boxes.find((one) => isWithin(one, frame) && room.isFree(one));
  if (box) room.addBox(box);
  return box ?? null;
}

// To the right if possible, else to the left, below, above, and between these.
function sidesOf(x, y, away, width) {
  const [right, left] = [x + away, x - away - width];
  const slant = away * 0.7;
  return [
    boxAt(right, y - HEIGHT / 2, width),
    boxAt(left, y - HEIGHT / 2, width),
    boxAt(x - width / 2, y + away, width),
    boxAt(x - width / 2, y - away - HEIGHT, width),
    boxAt(x + slant, y + slant - HEIGHT / 4, width),
    boxAt(x + slant, y - slant - HEIGHT * 0.75, width),
    boxAt(x - slant - width, y + slant - HEIGHT / 4, width),
    boxAt(x - slant - width, y - slant - HEIGHT * 0.75, width),
  ];
}

const isWithin = (box, frame) => box[0] >= frame[0] && box[1] >= frame[1] && box[2] <= frame[2] && box[3] <= frame[3];
const boxAt = (left, top, width) => [left, top, left + width, top + HEIGHT];
