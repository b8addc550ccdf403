// Passkeys as this browser does them, and what is sent of them. `unreachable` and `failed` are thrown as `Refused`: the page has the words.

const unpack = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
function pack(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export class Refused extends Error {
  constructor(told) {
    super(told.code);
    this.told = told;
  }
}

export async function send(path, body, fields = {}) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json", ...fields }, body: JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw new Refused({ code: "unreachable" });
  }
  const json = (answer.headers.get("content-type") || "").startsWith("application/json");
  if (answer.ok && json) return answer.json();
  throw new Refused(json ? await answer.json() : { code: "failed" });
}

const listed = (credentials) => (credentials || []).map((each) => ({ ...each, id: unpack(each.id) }));

export async function create(options) {
  const publicKey = {
    ...options,
    challenge: unpack(options.challenge),
    user: { ...options.user, id: unpack(options.user.id) },
    excludeCredentials: listed(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = made.response;
  return { id: made.id, response: { clientDataJSON: pack(clientDataJSON), attestationObject: pack(attestationObject) } };
}

export async function get(options) {
  const publicKey = { ...options, challenge: unpack(options.challenge), allowCredentials: listed(options.allowCredentials) };
  const used = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = used.response;
  return {
    id: used.id,
    response: {
      clientDataJSON: pack(clientDataJSON),
      authenticatorData: pack(authenticatorData),
      signature: pack(signature),
      userHandle: userHandle ? pack(userHandle) : null,
    },
  };
}
