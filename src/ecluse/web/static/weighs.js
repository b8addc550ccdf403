// A form that weighs asks for the passkey where it stands, so that nothing that was typed or chosen is lost; it is sent once the passkey was used.
// The server asks too, whatever this does: without it, the form leads to a page that asks.
import { get, send } from "./webauthn.js";

const place = document.querySelector("template[data-fresh-seconds]");
const said = place.content.firstElementChild;
const EARLY = 5, LASTS = 300;  // seconds: as ecluse.identity.sign_in.FRESH
let until = Date.now() + (Number(place.dataset.freshSeconds) - EARLY) * 1000;
let asking = false;

async function use(form, button) {
  asking = true;
  said.remove();
  try {
    const asked = await send("/sign-in/again/begin", { next: "" });
    await send("/sign-in/again/finish", { credential: await get(asked.options), next: "" });
    until = Date.now() + (LASTS - EARLY) * 1000;
  } catch {
    form.before(said);
    said.focus();
    return;
  } finally {
    asking = false;
  }
  form.requestSubmit(button);
}

if (window.PublicKeyCredential && window.isSecureContext) {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-weighs]") || Date.now() < until) return;
    event.preventDefault();
    if (!asking) use(event.target, event.submitter);
  }, { capture: true });
}
