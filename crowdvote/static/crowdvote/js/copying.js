// Buttons that copy a text which stands on the page: <button data-copies="ID" hidden>. Without scripts, or where the
// browser lets nobody copy, the text is there to be selected.
if (navigator.clipboard) {
  const show = (place) => {
    for (const button of place.querySelectorAll("[data-copies]")) button.hidden = false;
  };
  show(document);
  document.addEventListener("htmx:afterSwap", () => show(document));
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copies]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 1_500);
  });
}
