// Choices are ordered by their buttons; whoever has a mouse can drag them by their handles, too.
// The server puts them in order, as it does for the buttons.
let dragged = null;

const rowOf = (element) => element.closest?.("[data-ordered] > li") ?? null;
const placeOf = (row) => [...row.parentElement.children].indexOf(row);

document.addEventListener("dragstart", (event) => {
  dragged = event.target.matches?.(".choice-handle") ? rowOf(event.target) : null;
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
  event.dataTransfer.setDragImage(dragged, 0, 0);
});

document.addEventListener("dragover", (event) => {
  const over = dragged && rowOf(event.target);
  if (over?.parentElement !== dragged?.parentElement) return;
  if (over) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  const over = dragged && rowOf(event.target);
  if (!over || over.parentElement !== dragged.parentElement) return;
  event.preventDefault();
  const mover = document.getElementById("choice-mover");
  mover.value = `move:${placeOf(dragged)}:${placeOf(over)}`;
  mover.click();
});

document.addEventListener("dragend", () => {
  dragged = null;
});
