// Buttons that copy a text which stands on the page: <button data-copies="ID" hidden>. Without scripts, or where the
// browser lets nobody copy, the text is there to be selected.
const SHOWN = 1_500; // milliseconds

function showButtons() {
  for (const button of document.querySelectorAll("[data-copies]")) button.hidden = false;
}

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
  const words = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = words;
  }, SHOWN);
}

if (navigator.clipboard) {
  showButtons();
  document.addEventListener("htmx:afterSwap", showButtons);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copies]");
    if (button) copy(button);
  });
}
