// Checks a proof of one entry in the reader's own browser: opening -> leaf -> root of the checkpoint -> signature of the log. The server is believed nothing but
// its bytes. Trees as RFC 6962 §2.1, proof files and signed notes as C2SP tlog-proof and signed-note; the leaf as docs/decisions/0001-formats.md says.
// What it can't say: that the server's key is the log's. Compare it with one you hold, or ask a witness.

const refuse = (why) => { throw new Error(why); };
const utf8 = new TextEncoder();
const join = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
};
const hash = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
const node = (left, right) => hash(Uint8Array.of(1), left, right);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) refuse("not hex");
  return Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
};
const unbase64 = (text) => {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  if (btoa(String.fromCharCode(...bytes)) !== text) refuse("not base64 in its one spelling");
  return bytes;
};
const number = (text) => (/^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : refuse("not a number"));
export const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

// RFC 8785 for what entries hold: texts, whole numbers, yes and no, nothing, lists, objects
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value && typeof value === "object") {
    return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) refuse("a number that is not exact");
  return JSON.stringify(value);
};

// ── 1: an opening gives the leaf. Of a field stands [name, salt, value], or the digest of all three ──
export const leafOf = async (opening) => {
  if (!Array.isArray(opening.fields) || opening.fields.length === 0) refuse("an opening without fields");
  const digests = await Promise.all(opening.fields.map((field) => {
    if (typeof field === "string") return unhex(field);
    return hash(utf8.encode(`ecluse/1/${field[0]}\0`), unhex(field[1]), utf8.encode(canonical(field[2])));
  }));
  if (digests.some((digest) => digest.length !== 32)) refuse("a digest of another length");
  return canonical({ c: hex(await rootOf(digests)), h: opening.h, k: opening.k, v: opening.v });
};

// ── 2: the leaf is in the tree ──
export const rootOf = async (hashes) => {
  if (hashes.length === 1) return hashes[0];
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return node(await rootOf(hashes.slice(0, split)), await rootOf(hashes.slice(split)));
};
// the root of the tree of `size` leaves that has the leaf at `index`; `path`: its inclusion proof, leaf side first
export const foldLeaf = async (index, size, leaf, path) => {
  if (!(index >= 0 && index < size)) refuse("outside of the tree");
  let at = BigInt(index), last = BigInt(size) - 1n, folded = await hash(Uint8Array.of(0), utf8.encode(leaf));
  for (const sibling of path) {
    if (sibling.length !== 32 || last === 0n) refuse("a proof that is too long");
    if (at & 1n || at === last) {
      folded = await node(sibling, folded);
      while (!(at & 1n) && at) { at >>= 1n; last >>= 1n; }
    } else folded = await node(folded, sibling);
    at >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) refuse("a proof that is too short");
  return folded;
};

// ── 3: the checkpoint is signed ──
export const readCheckpoint = (note) => {
  const end = note.indexOf("\n\n") + 1;
  const [origin, size, root] = note.slice(0, end).split("\n");
  return { text: note.slice(0, end), signatures: note.slice(end + 1), origin, size: number(size), root: unbase64(root) };
};
// true: one of the keys, which are the log's own, signed it; null: this browser has no Ed25519; throws for all else
export const isSigned = async (checkpoint, keys) => {
  for (const line of checkpoint.signatures.split("\n").filter(Boolean)) {
    const [, name, blob] = /^\u2014 (\S+) (\S+)$/.exec(line) || refuse("a line that is no signature");
    const bytes = unbase64(blob);
    for (const key of keys) {
      const [of, id, ...encoded] = key.split("+");
      if (of !== checkpoint.origin || of !== name || id !== hex(bytes.slice(0, 4))) continue;
      const raw = unbase64(encoded.join("+"));
      if (raw[0] !== 1 || hex((await hash(utf8.encode(`${of}\n`), raw)).slice(0, 4)) !== id) continue;
      let known;
      try {
        known = await crypto.subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
      } catch { return null; }
      if (await crypto.subtle.verify({ name: "Ed25519" }, known, bytes.slice(4), utf8.encode(checkpoint.text))) return true;
      refuse("a signature that is wrong");
    }
  }
  return refuse("no signature of this log");
};

// ── a proof file: {entry, size, signed, fields}; throws where anything does not fit ──
export const checkProof = async (text, keys) => {
  const cut = text.indexOf("\n\n");
  const [first, extra, index, ...hashes] = text.slice(0, cut).split("\n");
  if (cut < 0 || first !== "c2sp.org/tlog-proof@v1" || !extra.startsWith("extra ") || !index.startsWith("index ")) refuse("no proof file");
  const held = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(unbase64(extra.slice(6))));
  const checkpoint = readCheckpoint(text.slice(cut + 2));
  const entry = number(index.slice(6));
  const folded = await foldLeaf(entry, checkpoint.size, await leafOf(held.opening), hashes.map(unbase64));
  if (!same(folded, checkpoint.root)) refuse("another root");
  const fields = Object.fromEntries(held.opening.fields.filter(Array.isArray).map(([name, , value]) => [name, value]));
  return { entry, size: checkpoint.size, signed: await isSigned(checkpoint, keys), fields };
};
