// Verify here: the texts on this page are folded into the entry's leaf, the leaf into the tree, the tree into the signed checkpoint. All that is needed is
// downloaded from the log's public addresses and computed in this browser (RFC 6962 §2.1, C2SP tlog-tiles, signed-note); the server is believed nothing but its bytes.
// What it can't say: that the server's key is the log's. Compare it with one you hold, or ask a witness.

const encode = (text) => new TextEncoder().encode(text);
const join = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
};
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
const fromHex = (text) => Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const fromBase64 = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
const node = (left, right) => sha256(Uint8Array.of(1), left, right);
const HASH = 32, WIDTH = 256;

// ── 1: the fields on the page give the leaf (docs/decisions/0001-formats.md) ──
export async function leafOf(fields, kind) {
  let level = [];
  for (const { name, salt, value, digest } of fields) {
    level.push(value === null ? fromHex(digest) : await sha256(encode(`ecluse/1/${name}`), Uint8Array.of(0), fromHex(salt), encode(value)));
  }
  while (level.length > 1) {
    const above = [];
    for (let at = 0; at + 1 < level.length; at += 2) above.push(await node(level[at], level[at + 1]));
    if (level.length % 2) above.push(level[level.length - 1]);
    level = above;
  }
  const at = JSON.parse(fields[0].value);
  return `{"c":"${hex(level[0])}","h":"${at.slice(0, 13)}Z","k":"${kind}","v":1}`;
}

// ── 2: the leaf is in the tree ──
export function tilePath(level, index, width) {
  const digits = String(index), wide = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.../g);
  const last = wide.pop();
  return `tile/${level}/${wide.map((group) => `x${group}/`).join("")}${last}${width < WIDTH ? `.p/${width}` : ""}`;
}
export class Tiles {
  constructor(base, size, load) { this.base = base; this.size = size; this.load = load; this.kept = new Map(); }
  // the hash of the 2^height leaves from number * 2^height on
  async node(height, number) {
    const level = Math.floor(height / 8), above = height - level * 8;
    const first = number * 2 ** above, tile = Math.floor(first / WIDTH);
    const inLevel = Math.floor(this.size / 2 ** (level * 8)), width = Math.min(WIDTH, inLevel - tile * WIDTH);
    const path = this.base + tilePath(level, tile, width);
    if (!this.kept.has(path)) this.kept.set(path, this.load(path));
    const bytes = await this.kept.get(path);
    if (bytes.length !== width * HASH) throw new Error("tile");
    let row = [];
    for (let at = first - tile * WIDTH; at < first - tile * WIDTH + 2 ** above; at += 1) row.push(bytes.slice(at * HASH, (at + 1) * HASH));
    while (row.length > 1) {
      const up = [];
      for (let at = 0; at < row.length; at += 2) up.push(await node(row[at], row[at + 1]));
      row = up;
    }
    return row[0];
  }
  // the root of leaves [first, past); first is a multiple of the largest power of two below their number
  async root(first, past) {
    const count = past - first;
    const height = Math.floor(Math.log2(count));
    if (2 ** height === count) return this.node(height, first / count);
    const left = 2 ** height;
    return node(await this.root(first, first + left), await this.root(first + left, past));
  }
}
// the root of the whole tree with the given leaf hash in its place: the inclusion fold of RFC 6962 §2.1.1
export async function rootWith(tiles, index, leaf, first = 0, past = tiles.size) {
  if (past - first === 1) return leaf;
  let left = 1;
  while (left * 2 < past - first) left *= 2;
  const middle = first + left;
  return index < middle
    ? node(await rootWith(tiles, index, leaf, first, middle), await tiles.root(middle, past))
    : node(await tiles.root(first, middle), await rootWith(tiles, index, leaf, middle, past));
}

// ── 3: the checkpoint is signed ──
export function readNote(note) {
  const cut = note.indexOf("\n\n");
  const text = note.slice(0, cut + 1), lines = text.split("\n");
  const signatures = note.slice(cut + 2).split("\n").filter(Boolean).map((line) => {
    const [, name, bytes] = line.match(/^\u2014 (\S+) (\S+)$/) || [];
    const raw = fromBase64(bytes || "");
    return { name, id: hex(raw.slice(0, 4)), signature: raw.slice(4) };
  });
  return { text, origin: lines[0], size: Number(lines[1]), root: fromBase64(lines[2]), signatures };
}
// true: signed; false: not, or wrongly; null: this browser has no Ed25519
export async function isSigned(read, vkey) {
  const [, name, id, key] = vkey.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/) || [];
  const raw = fromBase64(key || "");
  const own = read.signatures.find((each) => each.name === name && each.id === id);
  if (!own || raw[0] !== 1 || read.origin !== name) return false;
  if (hex((await sha256(encode(name), Uint8Array.of(10), raw)).slice(0, 4)) !== id) return false;
  let known;
  try {
    known = await crypto.subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return null;
  }
  return crypto.subtle.verify({ name: "Ed25519" }, known, own.signature, encode(read.text));
}

// ── the page ──
function shown(table) {
  return [...table.querySelectorAll("[data-field]")].map((row) => ({
    name: row.dataset.field,
    salt: row.dataset.salt || "",
    digest: row.dataset.digest,
    value: row.hasAttribute("data-hidden") ? null : row.querySelector("[data-value]").textContent,
  }));
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
  const good = table ? (await leafOf(shown(table), kind)) === leaf : null;
  tell(place, "leaf", good === null ? "none" : good ? "ok" : "bad");
  const read = readNote(await (await get(`${base}checkpoint`)).text());
  const tiles = new Tiles(base, read.size, async (path) => new Uint8Array(await (await get(path)).arrayBuffer()));
  const at = Number(index);
  const hash = await sha256(Uint8Array.of(0), encode(leaf));
  const inside = at < read.size && same(await rootWith(tiles, at, hash), read.root);
  tell(place, "tree", inside ? "ok" : "bad");
  const signed = await isSigned(read, vkey);
  tell(place, "signed", signed === null ? "none" : signed ? "ok" : "bad");
  const size = place.querySelector("[data-size]");
  if (size) size.textContent = new Intl.NumberFormat(document.documentElement.lang || "fr").format(read.size);
}
if (typeof document !== "undefined") {
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
}
