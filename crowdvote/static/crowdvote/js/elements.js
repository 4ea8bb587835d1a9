// An element with attributes and contents: element("a", { href: "/", class: "button" }, "Home"). An attribute that is true is
// there without a value, one that is false or null is not there.
export function element(name, attributes = {}, ...contents) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...contents.filter((one) => one !== null));
  return made;
}

// A button that does something on this page.
export function button(text, attributes, onClick) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}
