// The person's own page: takes the link's secret out of the address, checks proofs where they are shown, and says in time that the page will close.

import { checkProof } from "./proof.js";

(() => {
  // ── the way in: what stands behind the # goes to the server in a form, and is gone from the address and the history before ──
  const form = document.getElementById("enter");
  const secret = location.hash.slice(1);
  if (/^[A-Za-z0-9_-]{43}$/.test(secret)) {
    history.replaceState(null, "", location.pathname);
    const way = form || document.createElement("form");
    if (!form) {
      way.method = "post";
      way.action = "/my-data/enter";
      way.hidden = true;
      document.body.append(way);
    }
    const field = form ? form.elements.namedItem("secret") : Object.assign(document.createElement("input"), { type: "hidden", name: "secret" });
    if (!form) way.append(field);
    field.value = secret;
    document.getElementById("opening")?.removeAttribute("hidden");
    way.submit();
    return;
  }

  // ── proofs are checked by this device ──
  const words = document.getElementById("check-words")?.dataset;
  const say = (place, kind, texts, open) => {
    const box = document.createElement("div");
    box.className = "notice";
    box.dataset.kind = kind;
    const head = document.createElement("p");
    head.textContent = texts[0];
    box.append(head);
    const list = document.createElement("ul");
    for (const text of texts.slice(1)) {
      const item = document.createElement("li");
      item.textContent = text;
      if (text === open) item.dataset.open = "";
      list.append(item);
    }
    if (texts.length > 1) box.append(list);
    place.replaceChildren(box);
  };
  const check = async (button) => {
    const place = button.closest(".my-line").querySelector(".my-check");
    say(place, "info", [words.wait]);
    let text;
    try {
      const answer = await fetch(button.dataset.check, { headers: { accept: "text/plain" }, cache: "no-store" });
      if (!answer.ok) throw new Error("not there");
      text = await answer.text();
    } catch {
      say(place, "warn", [words.failed]);
      return;
    }
    try {
      const found = await checkProof(text, words.keys.split(" ").filter(Boolean));
      const number = new Intl.NumberFormat(document.documentElement.lang);
      const signed = found.signed ? words.signed : words.unsigned;
      say(place, found.signed ? "ok" : "info", [
        words.ok, words.leaf.replace("{entry}", number.format(found.entry)), words.tree.replace("{size}", number.format(found.size)), signed,
      ], words.unsigned);
    } catch {
      say(place, "bad", [words.bad]);
    }
  };
  if (words && window.crypto?.subtle) {
    for (const button of document.querySelectorAll("[data-check]")) {
      button.hidden = false;
      button.addEventListener("click", () => check(button));
    }
  } else {
    for (const button of document.querySelectorAll("[data-check]")) button.remove();
  }

  // ── the page says before it closes, and goes when it is over ──
  const leaving = document.getElementById("leaving");
  if (leaving) {
    const idle = Number(leaving.dataset.idle) * 1000;
    let timers = [];
    const wait = () => {
      timers.forEach(clearTimeout);
      leaving.hidden = true;
      timers = [setTimeout(() => { leaving.hidden = false; }, idle - 120000), setTimeout(() => location.replace("/my-data"), idle + 2000)];
    };
    document.getElementById("stay").addEventListener("click", async () => {
      const answer = await fetch("/my-data/stay", { method: "POST", cache: "no-store" }).catch(() => null);
      if (answer && answer.ok) location.reload(); else location.replace("/my-data");
    });
    wait();
    // a page that comes back from the browser's memory may be somebody else's by now
    window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }
})();
