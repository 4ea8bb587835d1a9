// Tags as chips, over the plain text field that works without this: <div data-tags><label><input name="tags">...</div>
const MAX_LENGTH = 50;

const normal = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim().slice(0, MAX_LENGTH);

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
  news.className = "visually-hidden";
  news.setAttribute("role", "status");
  const box = document.createElement("div");
  box.className = "tag-box";
  field.before(box);
  box.append(chips, typed, field);
  box.after(news);
  box.addEventListener("click", (event) => event.target === box && typed.focus());

  const tags = [];

  function changed(word) {
    const value = tags.join(", ");
    const isNew = field.value !== value;
    field.value = value;
    chips.hidden = tags.length === 0;
    for (const button of place.querySelectorAll("button[data-tag]")) {
      const isChosen = tags.includes(normal(button.dataset.tag));
      button.setAttribute("aria-pressed", String(isChosen));
      button.classList.toggle("on", isChosen);
    }
    if (!word) return;
    news.textContent = word;
    if (isNew) field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function add(text, isTold = true) {
    const tag = normal(text);
    if (!tag || tags.includes(tag)) return;
    if (tags.length >= most) {
      news.textContent = `No more than ${most} tags.`;
      return;
    }
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
  }

  function drop(tag) {
    tags.splice(tags.indexOf(tag), 1);
    [...chips.children].find((item) => item.dataset.chosen === tag)?.remove();
    changed(`${tag} removed`);
    typed.focus();
  }

  function take() {
    for (const part of typed.value.split(",")) add(part);
    typed.value = "";
  }

  typed.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && typed.value.trim()) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !typed.value && tags.length) drop(tags.at(-1));
  });
  typed.addEventListener("input", () => typed.value.includes(",") && take());
  typed.addEventListener("blur", take);
  field.form?.addEventListener("submit", take, { capture: true });

  for (const suggestion of place.querySelectorAll("span[data-tag]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "chip";
    button.dataset.tag = suggestion.dataset.tag;
    button.textContent = suggestion.textContent;
    button.addEventListener("click", () => {
      const tag = normal(button.dataset.tag);
      if (tags.includes(tag)) drop(tag);
      else add(tag);
      button.focus();
    });
    suggestion.replaceWith(button);
  }

  for (const tag of field.value.split(",")) add(tag, false);
  changed("");
}

const enhanceAll = (root) => root.querySelectorAll("[data-tags]").forEach(enhance);
enhanceAll(document);
document.addEventListener("htmx:load", (event) => event.detail.elt.parentElement && enhanceAll(event.detail.elt.parentElement));
