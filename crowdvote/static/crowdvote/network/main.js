// Who follows whom as a picture: <section data-network hidden data-source="ADDRESS OF THE DATA" data-worker="..."
// data-sizes="followers or reach" data-member="ADDRESS OF THE MEMBERS">. Without scripts the list below does it all.
import { describeChosen } from "./card.js";
import { Drawing } from "./drawing.js";
import { Gestures } from "./gestures.js";
import { layOut, startWorker } from "./layout.js";
import { listenToFields } from "./list.js";
import { Network } from "./network.js";
import { View } from "./view.js";

const picture = document.querySelector("[data-network]");
if (picture) start(picture);

async function start(place) {
  const note = place.querySelector(".network-note");
  place.hidden = false;
  const { worker, failure } = startWorker(place.dataset.worker);
  const answer = await dataFrom(place.dataset.source);
  if (typeof answer === "string") {
    say(note, `${answer} The list below has the same.`);
    return;
  }
  const network = new Network(answer);
  if (network.isEmpty) {
    say(note, place.dataset.empty ?? "Nobody follows anybody yet.");
    place.classList.add("network-is-empty");
    return;
  }
  failure.then(() => say(note, "The picture could not be drawn. The list below has the same."));
  show(place, note, network, worker);
}

function say(note, text) {
  note.hidden = !text;
  note.textContent = text;
}

// What the server sends, or a text that says why it can't be had.
async function dataFrom(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (answer.ok) return await answer.json();
    const why = answer.status === 401 ? "You are signed out. " : "";
    return `${why}The picture could not be loaded.`;
  } catch {
    return "The picture could not be loaded.";
  }
}

function show(place, note, network, worker) {
  const { sizes, member } = place.dataset;
  const canvas = place.querySelector("canvas");
  const card = place.querySelector(".network-card");
  const buttons = place.querySelector(".network-zoom");
  const view = new View();
  const drawing = new Drawing(canvas, network, view, () => network[sizes]);
  const gestures = new Gestures(canvas, { network, view, card, buttons, onMove: () => drawing.move() });
  const close = () => {
    network.choose(null);
    canvas.focus();
  };
  const onPlaces = (isDone) => {
    if (!view.isMoved) gestures.fit();
    if (isDone) say(note, "");
    place.dataset.state = isDone ? "done" : "drawing";
    drawing.move();
  };

  network.addEventListener("change", () => {
    describeChosen(card, network, { membersAt: member, onClose: close });
    drawing.draw();
  });
  network.addEventListener("point", () => drawing.draw());
  listenToFields(place, network, {
    onFound: (i) => gestures.centre(i),
    onSteps: () => gestures.fit(),
    onNobody: (isNobody) => say(note, isNobody ? "Nobody here has this name or @name." : ""),
  });
  drawing.resize();
  new ResizeObserver(() => {
    drawing.resize();
    if (!view.isMoved) gestures.fit();
  }).observe(canvas);
  layOut(worker, { network, view, sizes, onPlaces });
}
