// Tags as chips, over the plain text field that works without this: <div data-tags><label><input name="tags">...</div>
import { button, element } from "./elements.js";

const MAX_LENGTH = 50;

const normal = (text) => text.normalize("NFKC").toLowerCase().replaceAll(/\s+/gu, " ").trim();

class TagField {
  #tags = [];
  // What is no tag stays where it was typed, and is sent too: the server says no to it, instead of nobody.
  #left = "";
  #place;
  #field;
  #most;
  #typed;
  #chips = element("ul", { class: "chips", "aria-label": "Chosen tags", hidden: true });
  #news = element("p", { class: "visually-hidden", role: "status" });

  constructor(place) {
    this.#place = place;
    this.#field = place.querySelector("input");
    this.#most = Number(place.dataset.tagsMax) || Infinity;
    delete place.dataset.tags;
    this.#build();
    this.#listen();
    for (const suggestion of place.querySelectorAll("span[data-tag]")) this.#offer(suggestion);
    this.#typed.value = this.#field.value;
    this.#take({ isTold: false });
  }

  // The field goes on carrying the value; what is typed goes into a new one that takes over its label.
  #build() {
    this.#typed = this.#field.cloneNode();
    this.#typed.removeAttribute("name");
    this.#typed.setAttribute("enterkeyhint", "enter");
    this.#field.removeAttribute("id");
    this.#field.type = "hidden";
    const box = element("div", { class: "tag-box" });
    this.#field.before(box);
    box.append(this.#chips, this.#typed, this.#field);
    box.after(this.#news);
    box.addEventListener("click", ({ target }) => {
      if (target === box) this.#typed.focus();
    });
  }

  #listen() {
    this.#typed.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" && this.#typed.value.trim()) {
        event.preventDefault();
        this.#take();
      } else if (event.key === "Backspace" && !this.#typed.value && this.#tags.length > 0) this.#drop(this.#tags.at(-1));
    });
    this.#typed.addEventListener("input", () => {
      if (this.#typed.value.includes(",")) this.#take();
    });
    this.#typed.addEventListener("blur", () => this.#take());
    this.#field.form?.addEventListener("submit", () => this.#take(), { capture: true });
  }

  // A suggestion becomes a button that adds it or takes it away.
  #offer(suggestion) {
    const offered = button(suggestion.textContent, { class: "chip", "data-tag": suggestion.dataset.tag }, () => {
      const tag = normal(suggestion.dataset.tag);
      const why = this.#tags.includes(tag) ? this.#drop(tag) : this.#add(tag);
      if (why) this.#say(why, { isRefused: true });
      offered.focus();
    });
    suggestion.replaceWith(offered);
  }

  // What was typed.
  #take({ isTold = true } = {}) {
    this.#say("");
    const parts = this.#typed.value.split(",");
    const refused = parts.map((part) => [part, this.#add(part, { isTold })]).filter(([, why]) => why);
    this.#left = refused.map(([part]) => part).join(",").trim();
    if (this.#typed.value !== this.#left) this.#typed.value = this.#left;
    this.#show("");
    if (this.#left) this.#say(refused[0][1], { isRefused: true });
  }

  #refusal(tag) {
    if ([...tag].length > MAX_LENGTH) return `A tag has at most ${MAX_LENGTH} characters.`;
    return this.#tags.length >= this.#most ? `No more than ${this.#most} tags.` : "";
  }

  // Returns why it can't be added, "" where it is there.
  #add(text, { isTold = true } = {}) {
    const tag = normal(text);
    if (!tag || this.#tags.includes(tag)) return "";
    const why = this.#refusal(tag);
    if (why) return why;
    this.#tags.push(tag);
    const remove = button("×", { class: "remove", "aria-label": `Remove ${tag}` }, () => this.#drop(tag));
    this.#chips.append(element("li", { "data-chosen": tag }, element("span", { class: "chip on" }, tag, remove)));
    this.#show(isTold ? `${tag} added` : "");
    return "";
  }

  #drop(tag) {
    this.#tags.splice(this.#tags.indexOf(tag), 1);
    [...this.#chips.children].find((item) => item.dataset.chosen === tag)?.remove();
    this.#show(`${tag} removed`);
    this.#typed.focus();
    return "";
  }

  #say(news, { isRefused = false } = {}) {
    this.#news.textContent = news;
    this.#news.className = isRefused ? "field-error" : "visually-hidden";
  }

  // `news` is read out.
  #show(news) {
    const value = [...this.#tags, this.#left].filter(Boolean).join(", ");
    const isNew = this.#field.value !== value;
    this.#field.value = value;
    this.#chips.hidden = this.#tags.length === 0;
    for (const offered of this.#place.querySelectorAll("button[data-tag]")) {
      const isChosen = this.#tags.includes(normal(offered.dataset.tag));
      offered.setAttribute("aria-pressed", String(isChosen));
      offered.classList.toggle("on", isChosen);
    }
    if (!news) return;
    this.#say(news);
    if (isNew) this.#field.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

function enhanceAll(root) {
  for (const place of root.querySelectorAll("[data-tags]")) new TagField(place);
}

enhanceAll(document);
document.addEventListener("htmx:load", ({ detail }) => {
  if (detail.elt.parentElement) enhanceAll(detail.elt.parentElement);
});
