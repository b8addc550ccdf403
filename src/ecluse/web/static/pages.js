// What pages do beyond what HTML does: htmx under Trusted Types, live figures, shortcuts. Every page works without any of it.
"use strict";
(() => {
  // ── htmx may parse the HTML that this server wrote, and may run nothing (decision record 0008) ──
  // `ecluse` is the one policy that the pages' Content-Security-Policy allows. It turns a text into HTML; never into a script or the address of one.
  // What it reads is looked at tag by tag: values in quotes are set aside, so that a person whose name is " onload=" stops nothing.
  const elements = /^<\s*(?:script|iframe|frame|object|embed|base|meta|link|style)\b/i;
  const handlers = /[\s"'/](?:on[a-z]+|srcdoc)\s*=/i;
  const addresses = /\b(?:href|src|action|formaction|data)\s*=\s*["']?\s*(?:javascript|data|vbscript)\s*:/i;
  const strange = (tag) => elements.test(tag) || addresses.test(tag) || handlers.test(tag.replace(/"[^"]*"|'[^']*'/g, '""'));
  const rules = {
    createHTML: (text) => {
      if ((text.match(/<[a-z][^>]*>?/gi) || []).some(strange)) throw new TypeError("this is not a part of a page of ours");
      return text;
    },
  };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("ecluse", rules) : rules;
  const html = { createHTML: (text) => policy.createHTML(text), createScript: () => { throw new TypeError("no script comes with a part of a page"); } };
  // other scripts of ours put parts of pages in by the same policy
  window.ecluse = Object.freeze({ html: html.createHTML });
  function Never() { throw new TypeError("no attribute of a page is run"); }
  if (window.htmx) {
    window.htmx.registerExtension("ecluse", {
      init: (inside) => inside.initSecurity(html, Never, Never),
      // an answer that is not ours, or not a page, is not shown: the browser goes there instead
      htmx_before_response: (_, { ctx }) => {
        const answer = ctx.response.raw;
        const ours = new URL(answer.url, location.href).origin === location.origin;
        const page = (answer.headers.get("content-type") || "").startsWith("text/html");
        return ours && (page || answer.headers.has("hx-redirect"));
      },
    });
  }

  // ── live figures: one stream a page; what it says is put in as text, or makes htmx ask for a part again ──
  // <body data-live="/console/live"> or any element with it; [data-live-value="size"] shows a figure of the message; `live:<event>` is fired on the body.
  const at = document.querySelector("[data-live]");
  if (at && window.EventSource) {
    let stream = null;
    const number = new Intl.NumberFormat(document.documentElement.lang || "fr");
    const heard = (event) => {
      let said;
      try { said = JSON.parse(event.data); } catch { return; }
      for (const place of document.querySelectorAll("[data-live-value]")) {
        const value = said[place.dataset.liveValue];
        if (typeof value === "number") place.textContent = number.format(value);
        else if (typeof value === "string") place.textContent = value;
      }
      document.body.dispatchEvent(new CustomEvent(`live:${event.type}`, { detail: said }));
    };
    const listen = () => {
      if (stream || document.hidden) return;
      stream = new EventSource(at.dataset.live);
      for (const name of ["head", "control", "end"]) stream.addEventListener(name, heard);
      stream.addEventListener("end", () => { stream.close(); location.reload(); });
    };
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && stream) { stream.close(); stream = null; } else listen();
    });
    window.addEventListener("pagehide", () => stream && stream.close());
    listen();
  }

  // ── a fault or a notice that has just come is where reading goes on ──
  document.getElementById("faults")?.focus();

  // ── a form is sent once ──
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!(button instanceof HTMLButtonElement) || event.defaultPrevented) return;
    if (button.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
    button.setAttribute("aria-busy", "true");
    setTimeout(() => button.removeAttribute("aria-busy"), 8000);
  });
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });

  // ── shortcuts, for those who turned them on in the help (WCAG 2.1.4: a single key acts only then) ──
  const KEPT = "ecluse-shortcuts";
  const on = () => { try { return localStorage.getItem(KEPT) === "on"; } catch { return false; } };
  for (const place of document.querySelectorAll("[data-needs-script]")) place.hidden = false;
  const box = document.querySelector("[data-shortcuts]");
  if (box) {
    box.checked = on();
    box.addEventListener("change", () => { try { localStorage.setItem(KEPT, box.checked ? "on" : "off"); } catch { box.checked = false; } });
  }
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (!on() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (event.key === "?") { document.querySelector(".foot a")?.click(); } else if (event.key === "/") {
      const search = document.querySelector("[data-search], input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (before === "g" && /^[1-9]$/.test(event.key)) {
      const ways = [...document.querySelectorAll(".side .nav a, .menu .nav a")];
      ways[Number(event.key) - 1]?.click();
    }
    before = event.key;
  });
})();
