// The one dialog of a page. A link to a page of its own opens here instead when it says so:
//   <a href="/page/" hx-get="/page/" hx-target="#dialog-body">
// The answer is the dialog's content, with an element id="dialog-title". Anything with data-dialog-close closes it, and so
// does the event "dialog-close", which an answer may send by its header HX-Trigger.
const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");

if (dialog) {
  let opener = null;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target === body && !dialog.open) opener = event.detail.elt;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === body && !dialog.open && body.childElementCount) dialog.showModal();
  });
  document.addEventListener("dialog-close", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    // Outside the content only the backdrop is left to be clicked.
    if (event.target === dialog || event.target.closest("[data-dialog-close]")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    body.replaceChildren();
    if (opener?.isConnected) opener.focus();
    opener = null;
  });
}
