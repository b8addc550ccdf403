# shellcheck shell=bash
# Proves the parts of ecluse.sh, which reads this file for --self-test, on the published vectors; then all that must be refused.
verify() { # PUBLIC-KEY JWS: raw r and s back into ASN.1
  local raw h; raw=$(printf '%s' "${2##*.}" | from_b64u | to_hex); ((${#raw} == 128)) || return 1
  der() { h=$(sed 's/^\(00\)*//' <<<"$1"); [[ "$h" =~ ^[89a-f] ]] && h="00$h"; printf '02%02x%s' $((${#h} / 2)) "$h"; }
  raw="$(der "${raw:0:64}")$(der "${raw:64}")"; from_hex "$(printf '30%02x%s' $((${#raw} / 2)) "$raw")" >"$T/der"
  printf '%s' "${2%.*}" | openssl dgst -sha256 -verify "$1" -signature "$T/der" >/dev/null 2>&1
}
self_test() {
  local v=$1 keys proofs row key n=0 said
  keys=$(member "$(<"$v/keys.json")" keys); key=$(member "$keys" client)
  printf '%b' "$(text "$key" private_pem)" >"$T/key"; printf '%b' "$(text "$key" public_pem)" >"$T/public"
  same "$(jwk "$T/key" | openssl dgst -sha256 -binary | b64u)" "$(text "$key" thumbprint)" thumbprint
  proofs=$(<"$v/proofs.json")
  while read -r row; do
    [[ $(text "$row" key) == client && $(text "$row" name) != *[aA]ddress* ]] || continue
    said=$(member "$row" claims); verify "$T/public" "$(text "$row" proof)"
    key=$(text "$row" token); [[ $key != null ]] || key=''
    key=$(proof "$T/key" "$(text "$row" method)" "$(text "$said" htu)" "$key" "$(text "$said" jti)" "$(member "$said" iat)")
    [[ $said == *'"nonce"'* ]] || same "${key%.*}" "$(text "$row" signing_input)" 'the parts of a proof'
    verify "$T/public" "$key" || { echo 'our own signature' >&2; return 1; }; ((++n))
  done < <(members <<<"$(member "$proofs" accepted)")
  while read -r row; do # what is wrong with a signature must not verify
    [[ $(member "$row" check) != 6 ]] || ! verify "$T/public" "$(text "$row" proof)" || return 1
  done < <(members <<<"$(member "$proofs" refused)")
  for said in accepted refused; do while read -r row; do
    key=$({ check_receipt "$(member "$row" answer)" "$(text "$(member "$row" request)" appointment)" "$(text "$(member "$row" request)" agent)" &&
      check_proof "$(member "$(member "$row" answer)" receipt)" "$(member "$row" proof)" "$(text "$row" vkey)"; } 2>&1) || :
    same "${key#refused: }" "$(text "$row" fails)" "$(text "$row" name)"; ((++n))
  done < <(members <<<"$(member "$(<"$v/receipts.json")" $said)"); done
  echo "self-test: $n vectors are as published"
}
