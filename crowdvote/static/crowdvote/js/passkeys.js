// Forms that a passkey answers: <form data-passkey="get" data-options="ADDRESS" hidden> (or "create"). The server says at that
// address what to ask the device, and the form sends what the device answers. Shown where the browser can do it.
const ANSWERS = {
  get: (publicKey) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }),
  create: (publicKey) => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) }),
};
const PROBLEMS = {
  NotAllowedError: "No passkey was used. Try again, or go on without one.",
  InvalidStateError: "This device keeps a passkey for your account already.",
  SecurityError: "Passkeys do not work at this address of the site.",
};
const OTHERWISE = "That did not work. Load the page again, and try once more.";

async function optionsOf(form) {
  const headers = { Accept: "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  const response = await fetch(form.dataset.options, { method: "POST", headers });
  const { publicKey, error } = await response.json();
  if (error) say(form, error);
  return publicKey;
}

async function answer(form) {
  const publicKey = await optionsOf(form);
  if (!publicKey) return;
  const credential = await ANSWERS[form.dataset.passkey](publicKey);
  form.elements.credential.value = JSON.stringify(credential);
  form.submit();
}

function say(form, problem) {
  const place = form.querySelector("[data-problem]");
  place.textContent = problem;
  place.hidden = problem === "";
}

async function send(form) {
  const button = form.querySelector("button");
  say(form, "");
  button.disabled = true;
  try {
    await answer(form);
  } catch (error) {
    say(form, PROBLEMS[error.name] ?? OTHERWISE);
  }
  button.disabled = false;
}

if (typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === "function") {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.closest("section").hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }
  for (const place of document.querySelectorAll("[data-no-passkeys]")) place.hidden = true;
}
