#!/usr/bin/env bash
# A contractor's machine at an Écluse gate, with openssl 3, curl, awk and bash 4: token, sessions, one person, a safe retry, the receipt.
#   ecluse.sh --self-test [FOLDER]   proves itself on the published vectors (default: this repository's)
#   ecluse.sh                        works; wants ECLUSE_URL, ECLUSE_CLIENT (cli_…), ECLUSE_KEY (PEM file, P-256), ECLUSE_AGENT (agt_…) and
#                                    ECLUSE_VKEY (the log's key, as the agency handed it over); ECLUSE_ATTRIBUTES: default "family_name given_name"
# It prints codes, numbers and forms, never a person's values: those stay in the variable `body`, and no file holds them.
set -euo pipefail
export LC_ALL=C # bytes, not characters
umask 077
T=$(mktemp -d) && trap 'rm -rf "$T"' EXIT

# ── bytes ──
b64u() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
from_b64u() { local s; s=$(tr -- '-_' '+/'); while ((${#s} % 4)); do s+='='; done; openssl base64 -A -d <<<"$s"; }
to_hex() { od -An -v -tx1 | tr -d ' \n'; }
from_hex() { local i s=''; for ((i = 0; i < ${#1}; i += 2)); do s+="\x${1:i:2}"; done; printf '%b' "$s"; }
sha() { local h; h=$(openssl dgst -sha256 -r); printf '%s' "${h%% *}"; } # hex
same() { [[ "$1" == "$2" ]] || { echo "refused: $3" >&2; return 1; }; }

# ── JSON: the members of an object (name, tab, value) or array, one a line, as they were written but for white space outside of texts.
# The gate writes RFC 8785, so these bytes are what was hashed. If they were others, the hash would not fit: nothing false is accepted.
members() { # [NAME: only the value of this one]
  awk -v want="${1:+\"$1\"}" '{ s = s $0 "\n" } END {
    for (n = length(s); ++i <= n;) {
      c = substr(s, i, 1)
      if (text) { put(c); if (c == "\\") put(substr(s, ++i, 1)); else if (c == "\"") text = 0; continue }
      if (c ~ /[ \t\r\n]/) continue
      if (c == "\"") text = 1
      if ((c == "{" || c == "[") && ++depth == 1) { naming = object = c == "{"; continue }
      if ((c == "}" || c == "]") && --depth == 0 || c == "," && depth == 1) { if (some) printf "\n"; some = 0; naming = object; name = ""; continue }
      if (c == ":" && depth == 1) { naming = 0; pass = want != "" && name != want; if (want == "") put(name "\t"); continue }
      put(c)
    } }
    function put(c) { if (naming) name = name c; else if (!pass) { printf "%s", c; some = 1 } }'
}
member() { members "$2" <<<"$1"; }
text() { local v; v=$(member "$1" "$2"); v=${v#\"}; printf '%s' "${v%\"}"; } # a text without escapes

# ── the key: JWK, thumbprint, signatures (RFC 7515, 7517, 7638) ──
jwk() { # members in the order of RFC 7638
  local xy; xy=$(openssl pkey -in "$1" -pubout -outform DER | tail -c 64 | to_hex)
  printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$(from_hex "${xy:0:64}" | b64u)" "$(from_hex "${xy:64}" | b64u)"
}
sign() { # openssl wraps r and s in ASN.1; JOSE wants 32 bytes of each
  local r s; { read -r r; read -r s; } < <(openssl dgst -sha256 -sign "$1" | openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p')
  from_hex "$(printf '%64s%64s' "$r" "$s" | tr ' ' 0)" | b64u
}
jws() { local m; m="$(printf '%s' "$2" | b64u).$(printf '%s' "$3" | b64u)"; printf '%s.%s' "$m" "$(printf '%s' "$m" | sign "$1")"; }
proof() { # KEY METHOD ADDRESS [TOKEN [JTI IAT]]: DPoP, RFC 9449 §4.2; the address is the public one, without query
  local ath=''; [[ -z "${4:-}" ]] || ath=",\"ath\":\"$(printf '%s' "$4" | openssl dgst -sha256 -binary | b64u)\""
  jws "$1" "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":$(jwk "$1")}" \
    "{\"jti\":\"${5:-$(openssl rand -hex 16)}\",\"htm\":\"$2\",\"htu\":\"$3\",\"iat\":${6:-$(date +%s)}$ath}"
}

# ── the receipt: opening -> digests -> root -> leaf -> leaf hash, and each value against its digest (docs/decisions/0001-formats.md) ──
digest() { { printf '%s\0' "$1"; from_hex "$2"; printf '%s' "$3"; } | sha; }
node() { { printf '\1'; from_hex "$1$2"; } | sha; }
names() { members <<<"$1" | cut -f1 | sort; }
check_receipt() { # ANSWER APPOINTMENT AGENT; says which part fails. Each field in its place: an entry with two of a name could show each holder another
  local receipt opening field level=() up name salt value i values salts; local -A shown=() place=()
  for name in at event disclosure processor client agent assurance appointment subject purpose legal_basis contract forms values; do place[$name]=${#place[@]}; done
  receipt=$(member "$1" receipt); opening=$(member "$receipt" opening)
  while IFS= read -r field; do
    if [[ $field == \"* ]]; then level+=("${field//\"/}"); continue; fi # hidden: its digest
    { read -r name; read -r salt; IFS= read -r value; } < <(members <<<"$field"); name=${name//\"/}
    same "${shown[$name]-none} ${place[$name]-${#level[@]}}" "none ${#level[@]}" opening || return 1
    shown[$name]=$value; level+=("$(digest "ecluse/1/$name" "${salt//\"/}" "$value")")
  done < <(members <<<"$(member "$opening" fields)")
  while ((${#level[@]} > 1)); do # neighbours in pairs, a last odd one goes up as it is
    up=()
    for ((i = 0; i < ${#level[@]}; i += 2)); do up+=("$([[ ${level[i + 1]-} ]] && node "${level[i]}" "${level[i + 1]}" || echo "${level[i]}")"); done
    level=("${up[@]}")
  done
  value=$(printf '\0{"c":"%s","h":"%s","k":"decision","v":1}' "${level[0]}" "$(text "$opening" h)" | sha)
  same "$value" "$(text "$receipt" leaf_hash)" opening || return 1
  same "${shown[at]:1:13}Z" "$(text "$opening" h)" opening && [[ ${shown[event]} =~ ^\"disclosure:(person|sheet):granted\"$ ]] || return 1
  same "${shown[disclosure]} ${shown[appointment]} ${shown[agent]}" "$(member "$1" disclosure) \"$2\" \"$3\"" opening || return 1
  same "${shown[forms]}" "$(member "$1" forms)" opening || return 1
  values=${shown[values]} salts=$(member "$receipt" value_salts)
  same "$(names "$values")" "$(names "$(member "$1" subject)")" values && same "$(names "$values")" "$(names "$salts")" values || return 1
  while IFS=$'\t' read -r name value; do
    name=${name//\"/}; same "$(digest "ecluse/1/value/$name" "$(text "$salts" "$name")" "$value")" "$(text "$values" "$name")" values || return 1
  done < <(members <<<"$(member "$1" subject)")
}
check_proof() { # RECEIPT PROOF VKEY: the entry is in the log that the pinned key signs (C2SP signed-note, RFC 9162 §2.1.3.2)
  local name=${3%%+*} id=${3#*+} key note signed='' at last hash step dash who sig size root
  key=$(openssl base64 -A -d <<<"${id#*+}" | to_hex) id=${id%%+*}
  for step in log index leaf_hash; do same "$(member "$1" $step)" "$(member "$2" $step)" proof || return 1; done
  note=$(printf '%b.' "$(text "$2" checkpoint)"); note=${note%.}; printf '%s\n' "${note%$'\n\n'*}" >"$T/note"
  hash=$({ printf '%s\n' "$name"; from_hex "$key"; } | sha); same "${hash:0:8}" "$id" checkpoint || return 1
  from_hex "302a300506032b6570032100${key:2}" >"$T/ed25519"
  while read -r dash who sig; do
    sig=$(openssl base64 -A -d <<<"$sig" | to_hex); [[ "$dash $who ${sig:0:8}" == "— $name $id" ]] || continue
    from_hex "${sig:8}" >"$T/sig"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$T/ed25519" -rawin -in "$T/note" -sigfile "$T/sig" >/dev/null 2>&1 && signed=yes
  done <<<"${note##*$'\n\n'}"
  same "$signed" yes checkpoint || return 1
  { read -r who; read -r size; read -r root; } <"$T/note"
  same "$who" "$(text "$1" log)" checkpoint || return 1
  at=$(member "$1" index) last=$((size - 1)) hash=$(text "$1" leaf_hash)
  ((at <= last)) || { echo 'refused: proof' >&2; return 1; }
  while read -r step; do
    ((last > 0)) || { echo 'refused: proof' >&2; return 1; }
    if ((at & 1 || at == last)); then hash=$(node "${step//\"/}" "$hash"); while ((at && !(at & 1))); do ((at >>= 1, last >>= 1)) || :; done
    else hash=$(node "$hash" "${step//\"/}"); fi
    ((at >>= 1, last >>= 1)) || :
  done < <(members <<<"$(member "$2" inclusion)")
  same "$last $hash" "0 $(openssl base64 -A -d <<<"$root" | to_hex)" proof
}

# ── work ──
post() { curl -sS --max-time 15 -D "$T/head" -w '\n%{http_code}' "$@" || printf '\n000'; }
get_token() { # private_key_jwt, RFC 7523, with a proof of the same key
  local now answer signed; now=$(date +%s)
  signed=$(jws "$ECLUSE_KEY" '{"alg":"ES256"}' "{\"iss\":\"$ECLUSE_CLIENT\",\"sub\":\"$ECLUSE_CLIENT\",\"aud\":\"$issuer\",\"iat\":$now,\"exp\":$((now + 60)),\
\"jti\":\"$(openssl rand -hex 16)\"}")
  answer=$(post "$token_url" -H "DPoP: $(proof "$ECLUSE_KEY" POST "$token_url")" -d grant_type=client_credentials \
    -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer --data-urlencode "client_assertion=$signed")
  token=$(text "${answer%$'\n'*}" access_token); [[ -n $token ]] || { echo "no token: $(text "${answer%$'\n'*}" error)" >&2; exit 1; }
}
call() { # METHOD PATH [BODY KEY]: the same body and Idempotency-Key in every try, a fresh proof in each; sets status and body
  local try wait answer url=$ECLUSE_URL$2
  for try in 1 2 4 8 0; do
    answer=$(post -X "$1" "$url" -H "Authorization: DPoP $token" -H "DPoP: $(proof "$ECLUSE_KEY" "$1" "${url%%\?*}" "$token")" \
      ${3:+-H 'Content-Type: application/json' -H "Idempotency-Key: $4" --data-binary @-} <<<"${3:-}")
    status=${answer##*$'\n'} body=${answer%$'\n'*}; wait=$(sed -n 's/\r$//;s/^[Rr]etry-[Aa]fter: //p' "$T/head")
    if [[ $status == 401 && $body == *invalid-token* ]]; then get_token; elif [[ $status == 429 || $status != 000 && -z $wait ]]; then break; fi
    ((try == 0)) || sleep $((${wait:-0} > try ? wait : try))
  done
  [[ $status == 200 ]] || { echo "$2: $status ${ECLUSE_URL}$(text "$body" type)" >&2; exit 1; } # the page says whose move it is
}
work() {
  local metadata now ask key receipt person
  metadata=$(curl -sS --max-time 15 "$ECLUSE_URL/.well-known/oauth-authorization-server")
  issuer=$(text "$metadata" issuer) token_url=$(text "$metadata" token_endpoint); same "$issuer" "$ECLUSE_URL" 'the metadata is of another server'
  get_token; call GET /v1/sessions; now=$(date -u +%FT%TZ)
  key=$(members <<<"$(member "$body" sessions)" | while read -r row; do members <<<"$(member "$row" appointments)"; done | while read -r row; do
    [[ ! $(text "$row" opens_at) > $now && $now < $(text "$row" closes_at) ]] && text "$row" id && break; done)
  [[ -n $key ]] || { echo 'no appointment is open now'; exit 0; }
  ask="{\"appointment\":\"$key\",\"agent\":\"$ECLUSE_AGENT\",\"attributes\":[$(printf '"%s",' ${ECLUSE_ATTRIBUTES:-family_name given_name} | sed 's/,$//')]}"
  now=$(openssl rand -hex 16); call POST /v1/disclosures "$ask" "$now"; person=$body receipt=$(member "$body" receipt)
  check_receipt "$person" "$key" "$ECLUSE_AGENT"; echo "disclosed $(text "$person" disclosure): $(member "$person" forms)"
  call POST /v1/disclosures "$ask" "$now"; same "$(member "$body" receipt)" "$receipt" 'another receipt'
  echo "asked again with the same key: the same receipt, entry $(member "$receipt" index)"
  call GET "/v1/disclosures/$(text "$person" disclosure)/proof"; check_proof "$receipt" "$body" "$ECLUSE_VKEY"
  echo "entry $(member "$receipt" index) is in the log $(text "$receipt" log)"
}
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=self-test.sh
if [[ ${1:-} == --self-test ]]; then . "$here/self-test.sh"; self_test "${2:-$here/../../tests/vectors/integrators}"; else work; fi
