// Checks a proof of one entry in the reader's own browser: opening -> leaf -> root of the checkpoint -> signature of the log.
// The file is a C2SP tlog-proof (c2sp.org/tlog-proof@v1); trees as RFC 6962 §2.1, signed notes as C2SP signed-note; the leaf as decision record 0001 says.
// `ecluseVerify(text, keys)`: text of the file, verifier keys of the log; answers {entry, size, signed, fields}; `signed` is null where this browser has no
// Ed25519. Throws where anything does not fit: nothing is believed that was not computed here.
"use strict";
window.ecluseVerify = (() => {
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
  const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

  // RFC 8785 for what entries hold: texts, whole numbers, yes and no, nothing, lists, objects
  const canonical = (value) => {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value && typeof value === "object") {
      return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
    }
    if (typeof value === "number" && !Number.isSafeInteger(value)) refuse("a number that is not exact");
    return JSON.stringify(value);
  };
  const root = async (hashes) => {
    if (hashes.length === 1) return hashes[0];
    let split = 1;
    while (split * 2 < hashes.length) split *= 2;
    return node(await root(hashes.slice(0, split)), await root(hashes.slice(split)));
  };
  const leafOf = async (opening) => {
    if (!Array.isArray(opening.fields) || opening.fields.length === 0) refuse("an opening without fields");
    const digests = await Promise.all(opening.fields.map((field) => {
      if (typeof field === "string") return unhex(field);
      return hash(utf8.encode(`ecluse/1/${field[0]}\0`), unhex(field[1]), utf8.encode(canonical(field[2])));
    }));
    if (digests.some((digest) => digest.length !== 32)) refuse("a digest of another length");
    const leaf = canonical({ c: hex(await root(digests)), h: opening.h, k: opening.k, v: opening.v });
    return hash(Uint8Array.of(0), utf8.encode(leaf));
  };
  const fold = async (index, size, leaf, path) => {
    if (index < 0 || index >= size) refuse("outside of the tree");
    let at = BigInt(index), last = BigInt(size) - 1n, folded = leaf;
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
  const number = (text) => (/^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : refuse("not a number"));

  // true: one of the keys signed it; null: this browser can't tell
  const signedBy = async (note, keys) => {
    const end = note.lastIndexOf("\n\n");
    const text = utf8.encode(note.slice(0, end + 1));
    for (const line of note.slice(end + 2).split("\n").filter(Boolean)) {
      const [, name, blob] = /^\u2014 (\S+) (\S+)$/.exec(line) || refuse("a line that is no signature");
      const bytes = unbase64(blob);
      for (const key of keys) {
        const [of, id, encoded] = [key.split("+")[0], key.split("+")[1], key.split("+").slice(2).join("+")];
        if (of !== name || id !== hex(bytes.slice(0, 4))) continue;
        const raw = unbase64(encoded);
        if (raw[0] !== 1 || hex((await hash(utf8.encode(`${of}\n`), raw)).slice(0, 4)) !== id) continue;
        let known;
        try {
          known = await crypto.subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
        } catch { return null; }
        if (await crypto.subtle.verify({ name: "Ed25519" }, known, bytes.slice(4), text)) return true;
        refuse("a signature that is wrong");
      }
    }
    return refuse("no signature of this log");
  };

  return async (text, keys) => {
    const cut = text.indexOf("\n\n");
    const [first, extra, index, ...hashes] = text.slice(0, cut).split("\n");
    if (cut < 0 || first !== "c2sp.org/tlog-proof@v1" || !extra.startsWith("extra ") || !index.startsWith("index ")) refuse("no proof file");
    const held = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(unbase64(extra.slice(6))));
    const note = text.slice(cut + 2);
    const [, size, top] = note.split("\n");
    const entry = number(index.slice(6));
    const folded = await fold(entry, number(size), await leafOf(held.opening), hashes.map(unbase64));
    if (!same(folded, unbase64(top))) refuse("another root");
    const fields = Object.fromEntries(held.opening.fields.filter(Array.isArray).map(([name, , value]) => [name, value]));
    return { entry, size: number(size), signed: await signedBy(note, keys), fields };
  };
})();
