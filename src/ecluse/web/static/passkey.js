// Signing in, using a one-time link, and using the passkey once more. The page says what is shown; this only asks the browser and sends what it answers.
import { keep, keeps, make, sign } from "./desk-key.js";
import { create, get, Refused, send } from "./webauthn.js";

const place = document.querySelector("[data-passkey]");
const button = place.querySelector("[data-do]");
const said = place.querySelector("[data-said]");

// The words for what only the browser knows stand in the page.
const word = (name) => {
  const found = place.querySelector(`[data-word="${name}"]`);
  return { code: name, title: found?.dataset.title || "", text: found?.textContent.trim() || "" };
};

function tell(told, kind = "bad") {
  if (!told.text) Object.assign(told, word(told.code));
  said.dataset.kind = kind;
  said.querySelector("[data-title]").textContent = told.title;
  said.querySelector("[data-text]").textContent = told.text;
  said.hidden = false;
  said.focus();
}

function go(path) {
  const address = new URL(path, location.href);
  if (address.origin !== location.origin) throw new Refused(word("failed"));
  location.assign(address);
}

const next = () => place.dataset.next || "";

const deeds = {
  async "sign-in"() {
    const asked = await send("/sign-in/begin", { next: next() });
    const credential = await get(asked.options);
    const key = await make(asked.now);
    const able = await keeps(key);
    const fields = able ? { dpop: await sign(key, "POST", "/sign-in/finish", "") } : {};
    const answer = await send("/sign-in/finish", { credential, next: next(), desk_key: able ? key.jwk : null }, fields);
    if (answer.desk) await keep(key);
    go(answer.go);
  },
  async again() {
    const asked = await send("/sign-in/again/begin", { next: next() });
    const answer = await send("/sign-in/again/finish", { credential: await get(asked.options), next: next() });
    go(answer.go);
  },
  async enrol() {
    const credential = await create(greeting.options);
    await send("/sign-in/enrol/finish", { secret, credential, label: place.querySelector("[name=label]").value });
    secret = "";
    place.querySelector("[data-before]").hidden = true;
    const done = place.querySelector("[data-done]");
    done.hidden = false;
    done.focus();
  },
};

function reason(error) {
  if (error instanceof Refused) return error.told;
  if (error?.name === "NotAllowedError" || error?.name === "AbortError") return word("cancelled");
  if (error?.name === "InvalidStateError") return word("there-already");
  if (error?.name === "SecurityError" || error?.name === "NotSupportedError") return word("unable");
  return word("failed");
}

async function run() {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  said.hidden = true;
  try {
    await deeds[place.dataset.passkey]();
  } catch (error) {
    tell(reason(error));
    if (place.dataset.passkey === "enrol" && secret) await greet().catch((again) => { close(reason(again)); });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// ── a one-time link: its end is taken out of the address before anything else, and is kept by nothing but this page ──
let secret = "", greeting = null;

function close(told) {
  secret = "";
  tell(told);
  place.querySelector("[data-before]").hidden = true;
}

async function greet() {
  greeting = await send("/sign-in/enrol/begin", { secret });
  place.querySelector("[data-name]").textContent = greeting.name;
  place.querySelector("[data-agent]").hidden = !greeting.agent;
  place.querySelector("[data-recovery]").hidden = !greeting.recovery;
  place.querySelector("[data-before]").hidden = false;
}

async function begin() {
  if (place.dataset.passkey === "enrol") {
    secret = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    // the other language is the same page: it takes the link's end along, in the fragment again
    for (const link of document.querySelectorAll(".tongues a")) link.addEventListener("click", () => { if (secret) link.hash = secret; });
  }
  if (!window.PublicKeyCredential || !window.isSecureContext) {
    button.hidden = true;
    tell(word("unable"));
    return;
  }
  button.addEventListener("click", run);
  button.hidden = false;
  if (place.dataset.passkey === "enrol") {
    if (!secret) close(word("no-secret"));
    else await greet().catch((error) => close(reason(error)));
  } else if (place.dataset.passkey === "sign-in") {
    // whoever came by a link of another site did not show the cookie at first; this page's own question does
    const here = await send("/sign-in/here", { next: next() }).catch(() => null);
    if (here?.go) go(here.go);
  }
}

begin();
