// Choosing by fields: somebody by name, from a list that the browser offers, a topic, how far around the chosen one.
const MOST_OFFERED = 3_000;

// Tells whom was found by name, and whether nobody was found.
export function listenToFields(place, network, { onFound, onSteps, onNobody }) {
  const [find, topic, steps] = ["find", "topic", "reach"].map((name) => place.querySelector(`#network-${name}`));
  const names = place.querySelector("#network-names");
  const offer = () => names.append(...network.members.slice(0, MOST_OFFERED).map((member) => new Option("", longName(member))));
  find.addEventListener("focus", offer, { once: true });
  find.addEventListener("change", () => {
    const found = memberNamed(find.value, network.members);
    network.choose(found);
    onNobody(found === null && find.value.trim() !== "");
    if (found !== null) onFound(found);
  });
  topic.addEventListener("change", () => network.showTopic(topic.value));
  steps.addEventListener("change", () => {
    network.showSteps(Number(steps.value));
    onSteps();
  });
}

const longName = ([, handle, name]) => `${name} (@${handle})`;

// The position of the member that a text means: by handle or name, else by how one of these begins; or null.
export function memberNamed(text, members) {
  const wanted = text.trim().replace(/^@/u, "").toLowerCase();
  if (!wanted) return null;
  const isExact = (member) => [member[1], member[2].toLowerCase(), longName(member).toLowerCase()].includes(wanted);
  const isBeginning = (member) => member[2].toLowerCase().startsWith(wanted) || member[1].startsWith(wanted);
  for (const isMeant of [isExact, isBeginning]) {
    const found = members.findIndex(isMeant);
    if (found >= 0) return found;
  }
  return null;
}
