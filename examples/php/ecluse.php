<?php
// A contractor's machine at an Écluse gate, in PHP 8.1 or later with its openssl and sodium extensions and nothing else:
// token, sessions, one person, a safe retry, the receipt.
//   php ecluse.php --self-test [FOLDER]   proves itself on the published vectors (default: this repository's)
//   php ecluse.php                        works; wants ECLUSE_URL, ECLUSE_CLIENT (cli_…), ECLUSE_KEY (PEM file, P-256), ECLUSE_AGENT (agt_…)
//                                         and ECLUSE_VKEY (the log's key); ECLUSE_ATTRIBUTES: default "family_name given_name"
// It prints codes, numbers and forms, never a person's values.
declare(strict_types=1);

require __DIR__ . '/receipt.php';

set_error_handler(fn (int $level, string $text) => throw new ErrorException($text)); // a warning is an error
set_exception_handler(function (Throwable $bad): void { fwrite(STDERR, $bad->getMessage() . "\n"); exit(1); });

function b64u(string $raw): string { return rtrim(strtr(base64_encode($raw), '+/', '-_'), '='); }
function unb64u(string $text): string { return base64_decode(strtr($text, '-_', '+/'), true); }
function json(string $text): mixed { return json_decode($text, false, 64, JSON_THROW_ON_ERROR); }

// ── the key: JWK, thumbprint, signatures (RFC 7515, 7517, 7638) ──
function jwk(OpenSSLAsymmetricKey $key): array // members in the order of RFC 7638
{
    $ec = openssl_pkey_get_details($key)['ec'];
    [$x, $y] = array_map(fn (string $number) => b64u(str_pad($number, 32, "\0", STR_PAD_LEFT)), [$ec['x'], $ec['y']]);
    return ['crv' => 'P-256', 'kty' => 'EC', 'x' => $x, 'y' => $y];
}
function thumbprint(array $jwk): string { return b64u(hash('sha256', json_encode($jwk, JSON_UNESCAPED_SLASHES), true)); }
function jws(OpenSSLAsymmetricKey $key, array $header, array $claims): string
{
    $message = b64u(json_encode($header, JSON_UNESCAPED_SLASHES)) . '.' . b64u(json_encode($claims, JSON_UNESCAPED_SLASHES));
    openssl_sign($message, $der, $key, OPENSSL_ALGO_SHA256); // r and s in ASN.1: 30 len 02 len r 02 len s; JOSE wants 32 bytes of each
    $r = substr($der, 4, ord($der[3]));
    $s = substr($der, 6 + strlen($r));
    return "$message." . b64u(str_pad(ltrim($r, "\0"), 32, "\0", STR_PAD_LEFT) . str_pad(ltrim($s, "\0"), 32, "\0", STR_PAD_LEFT));
}
/** A DPoP proof (RFC 9449 §4.2); the address is the public one, without query. */
function proof(OpenSSLAsymmetricKey $key, string $method, string $address, ?string $token, ?string $jti = null, ?int $iat = null): string
{
    $claims = ['jti' => $jti ?? bin2hex(random_bytes(16)), 'htm' => $method, 'htu' => $address, 'iat' => $iat ?? time()];
    if ($token !== null) $claims['ath'] = b64u(hash('sha256', $token, true));
    return jws($key, ['typ' => 'dpop+jwt', 'alg' => 'ES256', 'jwk' => jwk($key)], $claims);
}

// ── work ──
/** Send one request; return status, Retry-After and the JSON body. Status 0: no answer, so nobody knows whether it arrived. */
function send(string $method, string $address, array $headers, string $body = ''): array
{
    $http = ['method' => $method, 'header' => $headers, 'content' => $body, 'ignore_errors' => true, 'timeout' => 15, 'follow_location' => 0];
    try { $text = file_get_contents($address, false, stream_context_create(['http' => $http])); } catch (ErrorException) { return [0, 1, null]; }
    $after = preg_grep('/^retry-after:/i', $http_response_header);
    return [(int) explode(' ', $http_response_header[0])[1], $after ? (int) explode(':', end($after))[1] : 0, json($text)];
}
/** private_key_jwt (RFC 7523), with a proof of the same key. */
function get_token(OpenSSLAsymmetricKey $key, string $client, stdClass $server): string
{
    $claims = ['iss' => $client, 'sub' => $client, 'aud' => $server->issuer, 'iat' => time(), 'exp' => time() + 60, 'jti' => bin2hex(random_bytes(16))];
    $type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    $form = ['grant_type' => 'client_credentials', 'client_assertion_type' => $type, 'client_assertion' => jws($key, ['alg' => 'ES256'], $claims)];
    $headers = ['DPoP: ' . proof($key, 'POST', $server->token_endpoint, null), 'Content-Type: application/x-www-form-urlencoded'];
    [$status, , $answer] = send('POST', $server->token_endpoint, $headers, http_build_query($form));
    return $answer->access_token ?? throw new RuntimeException('no token: ' . ($answer->error ?? $status));
}
/** One call: the same body and Idempotency-Key in every try, a fresh proof in each. */
function call(OpenSSLAsymmetricKey $key, callable $renew, string &$token, string $method, string $url, ?array $body = null, string $once = ''): stdClass
{
    foreach ([1, 2, 4, 8, 0] as $try) {
        $headers = ["Authorization: DPoP $token", 'DPoP: ' . proof($key, $method, explode('?', $url)[0], $token)];
        if ($body !== null) array_push($headers, 'Content-Type: application/json', "Idempotency-Key: $once");
        [$status, $wait, $answer] = send($method, $url, $headers, $body === null ? '' : json_encode($body, JSON_THROW_ON_ERROR));
        if ($status === 401 && $answer->type === '/problems/invalid-token') $token = $renew();
        elseif ($wait === 0 || $status === 429) break;
        if ($try > 0) sleep(max($try, $wait));
    }
    if ($status === 200) return $answer;
    throw new RuntimeException("$status " . getenv('ECLUSE_URL') . ($answer->type ?? '')); // the page says whose move it is
}
if (($argv[1] ?? '') === '--self-test') { require __DIR__ . '/self-test.php'; exit(0); }
[$url, $client, $agent] = [getenv('ECLUSE_URL'), getenv('ECLUSE_CLIENT'), getenv('ECLUSE_AGENT')];
$key = openssl_pkey_get_private(file_get_contents(getenv('ECLUSE_KEY')));
$server = send('GET', "$url/.well-known/oauth-authorization-server", [])[2];
same($server->issuer, $url, 'the metadata is of another server');
$renew = fn (): string => get_token($key, $client, $server);
$token = $renew();
$now = gmdate('Y-m-d\TH:i:s\Z');
$places = array_merge(...array_column(call($key, $renew, $token, 'GET', "$url/v1/sessions")->sessions, 'appointments'));
$open = array_values(array_filter($places, fn ($place) => $place->opens_at <= $now && $now < $place->closes_at));
if (!$open) exit("no appointment is open now\n");
$ask = ['appointment' => $open[0]->id, 'agent' => $agent, 'attributes' => explode(' ', getenv('ECLUSE_ATTRIBUTES') ?: 'family_name given_name')];
$once = bin2hex(random_bytes(16));
$person = call($key, $renew, $token, 'POST', "$url/v1/disclosures", $ask, $once);
check_receipt($person, $open[0]->id, $agent);
echo "disclosed $person->disclosure: ", canonical($person->forms), "\n";
$again = call($key, $renew, $token, 'POST', "$url/v1/disclosures", $ask, $once);
same(canonical($again->receipt), canonical($person->receipt), 'another receipt');
echo "asked again with the same key: the same receipt, entry {$person->receipt->index}\n";
check_proof($person->receipt, call($key, $renew, $token, 'GET', "$url/v1/disclosures/$person->disclosure/proof"), getenv('ECLUSE_VKEY'));
echo "entry {$person->receipt->index} is in the log {$person->receipt->log}\n";
