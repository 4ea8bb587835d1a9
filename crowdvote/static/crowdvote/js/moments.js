// Dates and times are typed in the reader's zone and sent in UTC: <input type="datetime-local" data-moment value="UTC">
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const twoDigits = (number) => String(number).padStart(2, "0");

function local(moment) {
  const date = `${moment.getFullYear()}-${twoDigits(moment.getMonth() + 1)}-${twoDigits(moment.getDate())}`;
  return `${date}T${twoDigits(moment.getHours())}:${twoDigits(moment.getMinutes())}`;
}

for (const field of document.querySelectorAll("input[data-moment]")) {
  const sent = document.createElement("input");
  sent.type = "hidden";
  sent.name = field.name;
  sent.value = field.value;
  field.removeAttribute("name");
  field.after(sent);
  const known = field.value && new Date(`${field.value}Z`);
  if (known && !Number.isNaN(known.getTime())) field.value = local(known);
  const hint = document.getElementById(`${field.id}_helptext`);
  if (hint) hint.textContent = hint.textContent.replace("Times are in UTC.", `Times are yours (${zone}).`);
  const update = () => {
    const moment = new Date(field.value);
    sent.value = field.value && !Number.isNaN(moment.getTime()) ? moment.toISOString().slice(0, 16) : field.value;
  };
  field.addEventListener("input", update);
  field.addEventListener("change", update);
}
