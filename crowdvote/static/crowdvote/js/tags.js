// Tags as chips, over the plain text field that works without this: <div data-tags><label><input name="tags">...</div>
const MAX_LENGTH = 50;

const normal = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();

function enhance(place) {
  const field = place.querySelector("input");
  const most = Number(place.dataset.tagsMax) || Infinity;
  place.removeAttribute("data-tags");

  // The field goes on carrying the value; what is typed goes into a new one that takes over its label.
  const typed = field.cloneNode();
  typed.removeAttribute("name");
  typed.value = "";
  typed.setAttribute("enterkeyhint", "enter");
  field.removeAttribute("id");
  field.type = "hidden";
  const chips = document.createElement("ul");
  chips.className = "chips";
  chips.setAttribute("aria-label", "Chosen tags");
  chips.hidden = true;
  const news = document.createElement("p");
  news.setAttribute("role", "status");
  const box = document.createElement("div");
  box.className = "tag-box";
  field.before(box);
  box.append(chips, typed, field);
  box.after(news);
  box.addEventListener("click", (event) => event.target === box && typed.focus());

  const tags = [];
  // What is no tag stays where it was typed, and is sent too: the server says no to it, instead of nobody.
  let left = "";

  function say(word, isRefused = false) {
    news.textContent = word;
    news.className = isRefused ? "field-error" : "visually-hidden";
  }
  say("");

  function changed(word) {
    const value = [...tags, left].filter(Boolean).join(", ");
    const isNew = field.value !== value;
    field.value = value;
    chips.hidden = tags.length === 0;
    for (const button of place.querySelectorAll("button[data-tag]")) {
      const isChosen = tags.includes(normal(button.dataset.tag));
      button.setAttribute("aria-pressed", String(isChosen));
      button.classList.toggle("on", isChosen);
    }
    if (!word) return;
    say(word);
    if (isNew) field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function refusal(tag) {
    if ([...tag].length > MAX_LENGTH) return `A tag has at most ${MAX_LENGTH} characters.`;
    return tags.length >= most ? `No more than ${most} tags.` : "";
  }

  // Why it can't be added, "" where it is there.
  function add(text, isTold = true) {
    const tag = normal(text);
    if (!tag || tags.includes(tag)) return "";
    const why = refusal(tag);
    if (why) return why;
    tags.push(tag);
    const item = document.createElement("li");
    const chip = document.createElement("span");
    chip.className = "chip on";
    chip.append(tag);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "remove";
    remove.setAttribute("aria-label", `Remove ${tag}`);
    remove.textContent = "×";
    remove.addEventListener("click", () => drop(tag));
    chip.append(remove);
    item.append(chip);
    item.dataset.chosen = tag;
    chips.append(item);
    changed(isTold ? `${tag} added` : "");
    return "";
  }

  function drop(tag) {
    tags.splice(tags.indexOf(tag), 1);
    [...chips.children].find((item) => item.dataset.chosen === tag)?.remove();
    changed(`${tag} removed`);
    typed.focus();
  }

  function take(isTold = true) {
    say("");
    const refused = typed.value.split(",").map((part) => [part, add(part, isTold)]).filter(([, why]) => why);
    left = refused.map(([part]) => part).join(",").trim();
    if (typed.value !== left) typed.value = left;
    changed("");
    if (left) say(refused[0][1], true);
  }

  typed.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && typed.value.trim()) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !typed.value && tags.length) drop(tags.at(-1));
  });
  typed.addEventListener("input", () => typed.value.includes(",") && take());
  typed.addEventListener("blur", () => take());
  field.form?.addEventListener("submit", () => take(), { capture: true });

  for (const suggestion of place.querySelectorAll("span[data-tag]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "chip";
    button.dataset.tag = suggestion.dataset.tag;
    button.textContent = suggestion.textContent;
    button.addEventListener("click", () => {
      const tag = normal(button.dataset.tag);
      const why = tags.includes(tag) ? drop(tag) : add(tag);
      if (why) say(why, true);
      button.focus();
    });
    suggestion.replaceWith(button);
  }

  typed.value = field.value;
  take(false);
}

const enhanceAll = (root) => root.querySelectorAll("[data-tags]").forEach(enhance);
enhanceAll(document);
document.addEventListener("htmx:load", (event) => event.detail.elt.parentElement && enhanceAll(event.detail.elt.parentElement));
