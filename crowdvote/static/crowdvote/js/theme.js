"use strict";
// The chosen colour scheme: "light", "dark", or none for the system's. Loaded before the first paint.
(() => {
  const root = document.documentElement;
  const key = "crowdvote.theme";

  const chosen = () => {
    try {
      return localStorage.getItem(key) ?? "";
    } catch {
      return ""; // storage is switched off in this browser
    }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-value]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeValue === theme));
    }
  };

  show(chosen());
  addEventListener("storage", (event) => event.key === key && show(chosen()));
  addEventListener("DOMContentLoaded", () => {
    show(chosen());
    for (const part of document.querySelectorAll("[data-theme-switch]")) part.hidden = false;
  });
  addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-value]");
    if (!button) return;
    try {
      localStorage.setItem(key, button.dataset.themeValue);
    } catch {
      // Then the choice holds until the page is left.
    }
    show(button.dataset.themeValue);
  });
})();
