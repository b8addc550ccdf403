// The desk's key: a pair that this browser makes and can't hand out, kept in its own store while a sign-in lasts. A cookie without it reads nobody's data.
// `proof(method, path)` signs one request (RFC 9449), for this address and this sign-in. `NoDeskKey`: this browser has none; sign in again.
const STORE = "ecluse", TABLE = "keys", NAME = "desk";

export class NoDeskKey extends Error {}

function pack(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
const encode = (text) => new TextEncoder().encode(text);
const seconds = () => Math.floor(Date.now() / 1000);

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(STORE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(TABLE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = asked.onblocked = () => reject(new NoDeskKey("this browser keeps nothing"));
  });
}

async function within(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const change = database.transaction(TABLE, mode);
      const asked = work(change.objectStore(TABLE));
      change.oncomplete = () => resolve(asked.result);
      change.onerror = change.onabort = () => reject(new NoDeskKey("this browser keeps nothing"));
    });
  } finally {
    database.close();
  }
}

// A new key. ``now``: the server's clock, in seconds: a computer whose own clock is wrong still makes proofs of the right time.
export async function make(now) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { pair, jwk: { crv, kty, x, y }, ahead: Number.isFinite(now) ? now - seconds() : 0 };
}

export const keep = (key) => within("readwrite", (table) => table.put(key, NAME));
export const forget = () => within("readwrite", (table) => table.delete(NAME));

// Whether this browser can keep a key at all: private windows of some can't.
export async function keeps(key) {
  try {
    await within("readwrite", (table) => table.put(key, "trial"));
    await within("readwrite", (table) => table.delete("trial"));
    return true;
  } catch {
    return false;
  }
}

export async function sign(key, method, path, signIn) {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: key.jwk };
  const claims = {
    jti: pack(crypto.getRandomValues(new Uint8Array(16))),
    htm: method,
    htu: location.origin + path,
    iat: seconds() + key.ahead,
  };
  if (signIn) claims.ath = pack(await crypto.subtle.digest("SHA-256", encode(signIn)));
  const message = `${pack(encode(JSON.stringify(header)))}.${pack(encode(JSON.stringify(claims)))}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.pair.privateKey, encode(message));
  return `${message}.${pack(signature)}`;
}

let kept = null;

// One proof for one request: ``path`` without query. Send it as the header field ``DPoP``.
export async function proof(method, path) {
  const signIn = document.querySelector('meta[name="ecluse-sign-in"]')?.content;
  if (!signIn) throw new NoDeskKey("nobody is signed in on this page");
  kept ??= await within("readonly", (table) => table.get(NAME));
  if (!kept?.pair?.privateKey) throw new NoDeskKey("this browser has no key of this sign-in");
  return sign(kept, method, path, signIn);
}
