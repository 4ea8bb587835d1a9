// A fragment with data-parts is refreshed part by part: of its children with an id only those are replaced that have
// changed, so that nothing jumps and what somebody reads or has unfolded stays.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, serverResponse, isError } = event.detail;
  if (isError || !target.matches?.("[data-parts]")) return;
  const answer = new DOMParser().parseFromString(serverResponse, "text/html").getElementById(target.id);
  if (!answer) return;
  const parts = (root) => [...root.querySelectorAll(":scope [id^='result-']")];
  const old = new Map(parts(target).map((part) => [part.id, part]));
  const fresh = parts(answer);
  // Another set of parts is another page: put all of it in place.
  if (fresh.length !== old.size || fresh.some((part) => !old.has(part.id))) return;
  event.detail.shouldSwap = false;
  for (const part of fresh) {
    const before = old.get(part.id);
    const source = part.outerHTML;
    if ((sources.get(part.id) ?? "") === source) continue;
    sources.set(part.id, source);
    const open = new Set([...before.querySelectorAll("details[id][open]")].map((details) => details.id));
    const put = document.importNode(part, true);
    before.replaceWith(put);
    for (const id of open) put.querySelector(`details#${CSS.escape(id)}`)?.setAttribute("open", "");
    window.htmx.process(put);
    put.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: put } }));
  }
});

// What each part was when it was last put on the page, before scripts changed it.
const sources = new Map();
