// The desk: one person at a time, asked for with a proof of this browser's key, and gone from the page by itself.
"use strict";
(() => {
  const desk = document.getElementById("desk");
  if (!desk) return;
  const say = desk.dataset;
  const root = say.root;
  const part = document.getElementById("desk-part");
  const status = document.getElementById("desk-status");
  const dialog = document.getElementById("desk-person");
  const ended = document.getElementById("desk-ended");
  const clock = document.querySelector("[data-clock]");

  // ── time: the server's, counted on by a clock that nobody can set ──
  let base = Date.parse(say.now) - performance.now();
  const now = () => base + performance.now();
  const text = (place, words) => { if (place && place.textContent !== words) place.textContent = words; };
  const span = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (n) => String(n).padStart(2, "0");
    return h ? `${h} h ${two(m)}` : `${m}:${two(s)}`;
  };

  // ── a call: signed, and answered with a part of a page ──
  const call = async (act, fields) => {
    const path = `${root}/${act}`;
    let proof;
    try { proof = await (await import(say.key)).proof("POST", path); } catch { proof = ""; }
    if (!proof) return { words: say.nokey };
    let answer, body;
    try {
      answer = await fetch(path, {
        method: "POST", credentials: "same-origin", cache: "no-store", redirect: "error",
        headers: { "content-type": "application/x-www-form-urlencoded", dpop: proof, "hx-request": "true" },
        body: new URLSearchParams(fields).toString(),
      });
      body = await answer.text();
    } catch { return { words: say.lost }; }
    if (answer.status === 401 && answer.headers.has("hx-redirect")) { end(); return {}; }
    if (!(answer.headers.get("content-type") || "").startsWith("text/html")) return { words: say.lost };
    return { html: body, ok: answer.ok };
  };
  const fill = (place, answer) => {
    if (answer.html === undefined) { const p = document.createElement("p"); p.className = "notice"; p.dataset.kind = "bad"; p.textContent = answer.words || ""; place.replaceChildren(p); return; }
    // read apart from the page, by the one policy: what is parsed so runs nothing
    place.replaceChildren(...new DOMParser().parseFromString(window.ecluse.html(answer.html), "text/html").body.childNodes);
  };

  // ── whoever is shown, and until when ──
  let shown = null; // { closes, idle, seconds, tag }: tag says whose place it is, and leads to nobody; none for a roll-call
  let asked = 0;    // of answers that come late, only the last press counts
  const blank = (words) => {
    asked += 1;
    const was = shown || (part && part.querySelector("[data-person]"));
    shown = null;
    if (clock) clock.hidden = true;
    if (part) part.replaceChildren();
    for (const button of document.querySelectorAll("[data-print], [data-blank]")) button.hidden = true;
    if (was || words) text(status, words || say.closed);
  };
  const close = (words) => { blank(words); if (dialog && dialog.open) dialog.close(); };
  const watch = (tag) => {
    const person = part.querySelector("[data-person]");
    if (!person) { shown = null; if (clock) clock.hidden = true; return; }
    base = Date.parse(person.dataset.now) - performance.now();
    const seconds = Number(person.dataset.seconds);
    shown = { closes: Date.parse(person.dataset.closes), idle: performance.now() + seconds * 1000, seconds, tag };
    if (clock) clock.hidden = false;
    tick();
  };
  const touch = () => { if (shown) shown.idle = performance.now() + shown.seconds * 1000; };
  const tick = () => {
    for (const place of document.querySelectorAll("[data-countdown]")) {
      const left = Date.parse(place.dataset.countdown) - now();
      if (left > 86400000) continue; // the day and the hour stand there already
      text(place, left > 0 ? say[place.dataset.words].replace("{t}", span(left)) : place.dataset.words === "opensin" ? say.nowopen : say.over);
    }
    if (!shown) return;
    const window_ = shown.closes - now();
    if (window_ <= 0) { close(say.over); return; }
    const idle = shown.idle - performance.now();
    if (idle <= 0) { close(say.idle); return; }
    const least = Math.min(idle, window_), last = least <= 20000;
    text(clock.querySelector("[data-left]"), say.left.replace("{n}", String(Math.ceil(least / 1000))));
    clock.dataset.last = last ? "yes" : "no";
  };
  setInterval(tick, 500);
  for (const kind of ["pointerdown", "keydown", "wheel"]) document.addEventListener(kind, touch, { passive: true });
  document.querySelector("[data-keep]")?.addEventListener("click", touch);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  window.addEventListener("pagehide", () => close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // ── one person ──
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  const tagOf = async (handle) => Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(handle))).slice(0, 8),
    (b) => b.toString(16).padStart(2, "0")).join("");
  const freshness = new Map();
  let current = null;
  const show = async (button, fresh) => {
    const handle = button.dataset.show;
    if (fresh) freshness.set(handle, random());
    current = button;
    blank();
    const press = asked;
    text(dialog.querySelector("[data-number]"), button.dataset.number);
    text(dialog.querySelector("[data-mark]"), button.dataset.mark);
    text(status, "");
    const wait = document.createElement("p");
    wait.textContent = say.asking;
    part.replaceChildren(wait);
    if (!dialog.open) dialog.showModal();
    const [answer, tag] = await Promise.all([call("show", { place: handle, fresh: freshness.get(handle) || "" }), tagOf(handle)]);
    if (press !== asked || !dialog.open) return;
    fill(part, answer);
    watch(tag);
    const wait_ = part.querySelector("[data-refused]");
    part.querySelector("[data-fresh]")?.addEventListener("click", () => show(button, true));
    if (shown) button.closest("[data-handle]").dataset.seen = "yes";
    if (wait_) part.setAttribute("tabindex", "-1");
  };
  const buttons = [...document.querySelectorAll("[data-show]")];
  for (const button of buttons) button.addEventListener("click", () => show(button, false));
  dialog?.querySelector("[data-close]").addEventListener("click", () => close());
  dialog?.addEventListener("close", () => { if (shown || part.childNodes.length) blank(); current?.focus(); });
  const step = (by) => {
    const usable = buttons.filter((button) => !button.disabled);
    if (!usable.length) return;
    const at = usable.indexOf(document.activeElement);
    usable[at < 0 ? 0 : Math.min(usable.length - 1, Math.max(0, at + by))].focus();
  };
  document.addEventListener("keydown", (event) => {
    if (dialog?.open || event.ctrlKey || event.metaKey || event.altKey || !buttons.length) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea, summary")) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) { event.preventDefault(); step(by); }
  });

  // ── a roll-call ──
  const sheet = document.querySelector("[data-sheet]");
  const sheetKey = { fresh: "" };
  sheet?.addEventListener("click", async () => {
    blank();
    const press = asked;
    text(status, say.asking);
    sheet.disabled = true;
    const answer = await call("sheet", sheetKey);
    sheet.disabled = false;
    if (press !== asked) return;
    text(status, "");
    fill(part, answer);
    watch();
    for (const button of document.querySelectorAll("[data-print], [data-blank]")) button.hidden = !shown;
    part.querySelector("[data-fresh]")?.addEventListener("click", () => { sheetKey.fresh = random(); sheet.click(); });
  });
  document.querySelector("[data-print]")?.addEventListener("click", () => { touch(); window.print(); });
  document.querySelector("[data-blank]")?.addEventListener("click", () => close());
  if (sheet) document.addEventListener("keydown", (event) => { if (event.key === "Escape" && shown) close(); });

  // ── attendance ──
  const rows = [...document.querySelectorAll(".desk-outcome")];
  const chosen = (row) => row.querySelector("[data-attendance]:checked");
  const changed = (row) => {
    const one = chosen(row), level = row.querySelector("[data-level]");
    return one && (!("was" in one.dataset) || (level && level.value !== level.dataset.was));
  };
  const mark = (row) => { if (changed(row)) { text(row.querySelector("[data-said]"), say.changed); row.dataset.state = "changed"; } };
  for (const row of rows) {
    row.addEventListener("change", () => {
      const one = chosen(row), level = row.querySelector("[data-level]");
      if (level && one && !["present", "late"].includes(one.value)) level.value = "";
      mark(row);
    });
  }
  document.querySelector("[data-all-present]")?.addEventListener("click", () => {
    for (const row of rows) if (!chosen(row)) { row.querySelector("[data-attendance][value=present]").checked = true; mark(row); }
  });
  const save = document.querySelector("[data-save]");
  save?.addEventListener("click", async () => {
    const fields = rows.filter(changed).map((row) => {
      const level = row.querySelector("[data-level]")?.value;
      return ["said", [row.dataset.handle, chosen(row).value, ...(level ? [level] : [])].join(" ")];
    });
    if (!fields.length) { text(status, say.nothing); return; }
    text(status, say.saving);
    save.disabled = true;
    const answer = await call("outcomes", fields);
    save.disabled = false;
    text(status, "");
    fill(part, answer);
    const result = part.querySelector("[data-recorded]");
    for (const handle of result ? result.dataset.recorded.split(" ").filter(Boolean) : []) {
      const row = rows.find((each) => each.dataset.handle === handle), level = row.querySelector("[data-level]");
      for (const one of row.querySelectorAll("[data-attendance]")) delete one.dataset.was;
      chosen(row).dataset.was = "";
      if (level) level.dataset.was = level.value;
      text(row.querySelector("[data-said]"), result.dataset.text);
      row.dataset.state = "saved";
    }
    for (const one of part.querySelectorAll("[data-failed]")) {
      const row = rows.find((each) => each.dataset.handle === one.dataset.failed);
      if (row) row.dataset.state = "failed";
    }
    part.scrollIntoView({ block: "nearest" });
  });
  window.addEventListener("beforeunload", (event) => { if (rows.some(changed)) event.preventDefault(); });

  // ── a code to say ──
  const code = document.querySelector("[data-code]");
  code?.addEventListener("click", async () => {
    text(status, say.asking);
    code.disabled = true;
    const answer = await call("walk-in", {});
    code.disabled = false;
    text(status, "");
    fill(part, answer);
  });

  // ── an open desk hears that it ended: nobody stays on the screen ──
  let stream = null;
  const standing = () => fetch(`${root}/standing?place=${shown?.tag || ""}`, { credentials: "same-origin", cache: "no-store", headers: { "hx-request": "true" } });
  function end() {
    close();
    stream?.close();
    for (const row of rows) delete row.dataset.state;
    if (ended && !ended.open) ended.showModal();
  }
  ended?.addEventListener("cancel", (event) => event.preventDefault());
  if (window.EventSource) {
    stream = new EventSource(say.stream);
    stream.addEventListener("end", end);
    stream.addEventListener("control", async () => {
      if (!shown) return;
      try {
        const answer = await standing();
        if (answer.status === 204) return;
        if (answer.status === 401) { end(); return; }
        const refused = { html: await answer.text() };
        if (!shown) return;
        blank(say.closed);
        fill(part, refused);
      } catch { close(say.lost); }
    });
    // refused, not merely cut off: the sign-in is over
    stream.addEventListener("error", async () => {
      if (stream.readyState !== EventSource.CLOSED) return;
      try {
        if ((await standing()).status === 401) end();
      } catch { /* the network is gone: whoever is shown goes by the clock */ }
    });
  }
  tick();
})();
