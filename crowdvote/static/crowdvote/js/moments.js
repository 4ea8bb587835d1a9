// Dates and times are typed in the reader's zone and sent in UTC: <input type="datetime-local" data-moment value="UTC">
import { element } from "./elements.js";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const twoDigits = (number) => String(number).padStart(2, "0");

function local(moment) {
  const date = `${moment.getFullYear()}-${twoDigits(moment.getMonth() + 1)}-${twoDigits(moment.getDate())}`;
  return `${date}T${twoDigits(moment.getHours())}:${twoDigits(moment.getMinutes())}`;
}

const isValid = (moment) => !Number.isNaN(moment.getTime());

// The field keeps what is typed; a hidden one that takes over its name is sent.
function enhance(field) {
  const sent = element("input", { type: "hidden", name: field.name, value: field.value });
  field.removeAttribute("name");
  field.after(sent);
  const known = new Date(`${field.value}Z`);
  if (field.value && isValid(known)) field.value = local(known);
  const hint = document.getElementById(`${field.id}_helptext`);
  if (hint) hint.textContent = hint.textContent.replace("Times are in UTC.", `Times are yours (${zone}).`);
  const update = () => {
    const moment = new Date(field.value);
    sent.value = field.value && isValid(moment) ? moment.toISOString().slice(0, 16) : field.value;
  };
  field.addEventListener("input", update);
  field.addEventListener("change", update);
}

for (const field of document.querySelectorAll("input[data-moment]")) enhance(field);
