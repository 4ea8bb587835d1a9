// The card on the member who is chosen: who they are, who follows them, whom they follow.
import { button, element } from "../js/elements.js";

const MOST_NAMED = 6;
const MARKS = { manager: "Manager", lobbyist: "Lobbyist, not counted" };

// `membersAt` is the address of the members' pages.
export function describeChosen(card, network, { membersAt, onClose }) {
  card.hidden = network.chosen === null;
  card.replaceChildren();
  if (network.chosen === null) return;
  card.append(
    headOf(network, membersAt),
    element("p", {}, followersText(network)),
    element("p", {}, followsText(network)),
    button("Close", { class: "button quiet small" }, onClose),
  );
}

function headOf({ members, chosen, me }, membersAt) {
  const [id, handle, name, mark] = members[chosen];
  const head = element("p", {}, element("a", { href: `${membersAt}${id}/` }, name), " ", element("span", { class: "handle" }, `@${handle}`));
  if (mark) head.append(" ", element("span", { class: "badge" }, MARKS[mark]));
  if (chosen === me) head.append(" ", element("span", { class: "badge good" }, "You"));
  return head;
}

function followersText({ active, chosen, reach, topic }) {
  const direct = active.filter(([, to]) => to === chosen);
  const through = reach[chosen] - new Set(direct.map(([from]) => from)).size;
  const about = topic ? ` on ${topic}` : "";
  const more = through > 0 ? ` and by ${through.toLocaleString("en")} more through others` : "";
  return `Followed by ${people(direct.length)}${about}${more}.`;
}

function followsText({ active, chosen, members }) {
  const names = active.filter(([from]) => from === chosen).map(([, to]) => members[to][2]);
  if (names.length === 0) return `Follows ${people(0)}.`;
  const rest = names.length > MOST_NAMED ? " and others" : "";
  return `Follows ${people(names.length)}: ${names.slice(0, MOST_NAMED).join(", ")}${rest}.`;
}

const people = (number) => `${number.toLocaleString("en")} member${number === 1 ? "" : "s"}`;
