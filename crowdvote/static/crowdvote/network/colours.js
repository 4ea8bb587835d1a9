// The colours of the page's theme for a canvas, as they are now and after each change.
const NAMES = ["text", "muted", "edge", "accent", "star", "star-edge", "surface", "good"];

export function watchColours(canvas, onChange) {
  const probe = document.createElement("span");
  probe.hidden = true;
  // In forced colours every text has the same, whatever it was given.
  probe.style.forcedColorAdjust = "none";
  canvas.after(probe);
  const read = () => {
    const colours = { font: getComputedStyle(canvas).fontFamily };
    for (const name of NAMES) {
      probe.style.color = `var(--${name})`;
      colours[name] = getComputedStyle(probe).color;
    }
    onChange(colours);
  };
  new MutationObserver(read).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", read);
  }
  read();
}
