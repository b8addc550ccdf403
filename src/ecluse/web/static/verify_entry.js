// Verify here: the texts on this page give the entry's leaf, the leaf is folded into the tree, the tree is that of the signed checkpoint (proof.js). All that is
// needed is downloaded from the log's public addresses (C2SP tlog-tiles) and computed in this browser.

import { foldLeaf, isSigned, leafOf, readCheckpoint, rootOf, same } from "./proof.js";

const HASH = 32, WIDTH = 256;

// ── the tree, from its tiles ──
function tilePath(level, index, width) {
  const digits = String(index), wide = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.../g);
  const last = wide.pop();
  return `tile/${level}/${wide.map((group) => `x${group}/`).join("")}${last}${width < WIDTH ? `.p/${width}` : ""}`;
}
class Tiles {
  constructor(base, size) { this.base = base; this.size = size; this.kept = new Map(); }
  async load(level, tile) {
    const inLevel = Math.floor(this.size / 2 ** (level * 8)), width = Math.min(WIDTH, inLevel - tile * WIDTH);
    const path = this.base + tilePath(level, tile, width);
    if (!this.kept.has(path)) this.kept.set(path, get(path).then((answer) => answer.arrayBuffer()).then((raw) => new Uint8Array(raw)));
    const bytes = await this.kept.get(path);
    if (bytes.length !== width * HASH) throw new Error("tile");
    return bytes;
  }
  // the hash of the 2^height leaves from number * 2^height on
  async node(height, number) {
    const level = Math.floor(height / 8), wide = 2 ** (height - level * 8);
    const first = number * wide, tile = Math.floor(first / WIDTH);
    const bytes = await this.load(level, tile);
    return rootOf(Array.from({ length: wide }, (_, at) => bytes.slice((first - tile * WIDTH + at) * HASH, (first - tile * WIDTH + at + 1) * HASH)));
  }
  // the hash over leaves [first, past); first is a multiple of the largest power of two below their number
  async over(first, past) {
    const height = Math.floor(Math.log2(past - first)), wide = 2 ** height;
    const left = await this.node(height, first / wide);
    return wide === past - first ? left : rootOf([left, await this.over(first + wide, past)]);
  }
  // the inclusion proof of a leaf, leaf side first (RFC 6962 §2.1.1)
  async path(index, first = 0, past = this.size) {
    if (past - first === 1) return [];
    let left = 1;
    while (left * 2 < past - first) left *= 2;
    const middle = first + left;
    return index < middle
      ? [...await this.path(index, first, middle), await this.over(middle, past)]
      : [...await this.path(index, middle, past), await this.over(first, middle)];
  }
}

// ── the page ──
function shown(table) {
  return [...table.querySelectorAll("[data-field]")].map((row) => (
    row.hasAttribute("data-hidden") ? row.dataset.digest : [row.dataset.field, row.dataset.salt, JSON.parse(row.querySelector("[data-value]").textContent)]
  ));
}
async function leafShown(table, kind) {
  const fields = shown(table);
  return leafOf({ fields, h: `${fields[0][2].slice(0, 13)}Z`, k: kind, v: 1 });
}
function tell(place, step, state) {
  const line = place.querySelector(`[data-step="${step}"]`);
  line.dataset.state = state;
  for (const word of line.querySelectorAll("[data-when]")) word.hidden = word.dataset.when !== state;
}
async function get(path) {
  const answer = await fetch(path, { credentials: "omit", cache: "no-store" });
  if (!answer.ok) throw new Error("absent");
  return answer;
}
async function verify(place) {
  const { base, index, leaf, vkey, kind } = place.dataset;
  for (const step of ["leaf", "tree", "signed"]) tell(place, step, "wait");
  const table = document.querySelector("[data-fields]");
  const good = table ? (await leafShown(table, kind).catch(() => "")) === leaf : null;
  tell(place, "leaf", good === null ? "none" : good ? "ok" : "bad");
  const checkpoint = readCheckpoint(await (await get(`${base}checkpoint`)).text());
  const at = Number(index);
  const inside = at < checkpoint.size
    && same(await foldLeaf(at, checkpoint.size, leaf, await new Tiles(base, checkpoint.size).path(at)), checkpoint.root);
  tell(place, "tree", inside ? "ok" : "bad");
  const signed = await isSigned(checkpoint, [vkey]).catch(() => false);
  tell(place, "signed", signed === null ? "none" : signed ? "ok" : "bad");
  const size = place.querySelector("[data-size]");
  if (size) size.textContent = new Intl.NumberFormat(document.documentElement.lang || "fr").format(checkpoint.size);
}
const place = document.querySelector("[data-verify]");
const button = document.querySelector("[data-verify-now]");
if (place && button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    place.hidden = false;
    try {
      await verify(place);
    } catch {
      for (const step of ["leaf", "tree", "signed"]) if (place.querySelector(`[data-step="${step}"]`).dataset.state === "wait") tell(place, step, "failed");
    }
    button.disabled = false;
    place.focus();
  });
}
