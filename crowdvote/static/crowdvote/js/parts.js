// A fragment with data-parts is refreshed part by part: of its parts (data-part, with an id) only those are replaced that
// have changed, so that nothing jumps and what somebody reads or has unfolded stays.
const partsOf = (root) => new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.id, part]));

// What each part was when it came from the server, before scripts changed anything in it.
// Each answer has a new token in its forms, which is as good as the one before.
const sourceOf = (part) => part.outerHTML.replaceAll(/(name="csrfmiddlewaretoken" value=")[^"]*/gu, "$1");
const sources = new Map([...partsOf(document)].map(([id, part]) => [id, sourceOf(part)]));

// Whoever was on a link or button by the keyboard is on the same one in what comes in its place.
function likeIn(part, element) {
  if (element.id) return document.getElementById(element.id);
  return [...part.querySelectorAll(element.localName)].find(
    (one) => one.getAttribute("href") === element.getAttribute("href") && one.textContent === element.textContent,
  );
}

// What somebody has typed in a part stands in the one that comes in its place.
function carry(part, put) {
  for (const field of part.querySelectorAll("textarea[name], input[name]:not([type=hidden])")) {
    const next = field.value !== field.defaultValue && put.querySelector(`[name="${CSS.escape(field.name)}"]`);
    if (next) next.value = field.value;
  }
}

function replace(old, part) {
  const put = document.importNode(part, true);
  const { activeElement } = document;
  const hasFocus = old.contains(activeElement);
  carry(old, put);
  old.replaceWith(put);
  if (hasFocus) likeIn(put, activeElement)?.focus({ preventScroll: true });
  window.htmx.process(put);
  put.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: put } }));
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { target, serverResponse, isError } = detail;
  if (isError || !target.matches?.("[data-parts]")) return;
  const answer = new DOMParser().parseFromString(serverResponse, "text/html").getElementById(target.id);
  if (!answer) return;
  const [old, fresh] = [partsOf(target), partsOf(answer)];
  // Another set of parts is another page: put all of it in place.
  if (fresh.size !== old.size || [...fresh.keys()].some((id) => !old.has(id))) return;
  detail.shouldSwap = false;
  for (const [id, part] of fresh) {
    const source = sourceOf(part);
    if (sources.get(id) === source) continue;
    sources.set(id, source);
    replace(old.get(id), part);
  }
});
