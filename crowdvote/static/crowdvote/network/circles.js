// Radii of the members' circles, in units of the layout: the larger the number that a circle stands for, the larger it is.
const SMALLEST = 4;
const LARGEST = 21;
// Between radii in proportion (1), where few would be seen, and areas in proportion (0.5), where hubs would hardly stand out.
const CURVE = 0.75;

// `most` is the number of the largest.
export function radiiOf(numbers, most) {
  return Float32Array.from(numbers, (number) => SMALLEST + (LARGEST - SMALLEST) * (number / Math.max(most, 1)) ** CURVE);
}
