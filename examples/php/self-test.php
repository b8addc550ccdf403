<?php
// Proves the parts of ecluse.php, which reads this file for --self-test, on the published vectors; then all that must be refused.
declare(strict_types=1);

$folder = $argv[2] ?? __DIR__ . '/../../tests/vectors/integrators';
[$keys, $proofs, $receipts] = array_map(fn ($name) => json(file_get_contents("$folder/$name.json")), ['keys', 'proofs', 'receipts']);
/** Put r and s back into ASN.1 and verify. */
function verifies(string $jws, string $public): bool
{
    [$message, $raw] = [substr($jws, 0, strrpos($jws, '.')), unb64u(substr($jws, strrpos($jws, '.') + 1))];
    if (strlen($raw) !== 64) return false;
    $der = implode('', array_map(function (string $half): string {
        $half = ltrim($half, "\0");
        $half = ord($half[0]) > 127 ? "\0$half" : $half;
        return "\x02" . chr(strlen($half)) . $half;
    }, str_split($raw, 32)));
    return openssl_verify($message, "\x30" . chr(strlen($der)) . $der, $public, OPENSSL_ALGO_SHA256) === 1;
}
$count = 0;
$client = openssl_pkey_get_private($keys->keys->client->private_pem);
same(thumbprint(jwk($client)), $keys->keys->client->thumbprint, 'thumbprint');
foreach ($proofs->accepted as $row) {
    if ($row->key !== 'client') continue;
    same(verifies($row->proof, $keys->keys->client->public_pem), true, $row->name);
    $ours = proof($client, $row->method, $row->claims->htu, $row->token, $row->claims->jti, $row->claims->iat);
    same(isset($row->claims->nonce) || str_starts_with($ours, "$row->signing_input."), true, "the parts of $row->name");
    same(verifies($ours, $keys->keys->client->public_pem), true, 'our own signature');
    $count++;
}
foreach ($proofs->refused as $row) {
    if ($row->check === 6) same(verifies($row->proof, $keys->keys->client->public_pem), false, $row->name);
}
foreach (array_merge($receipts->accepted, $receipts->refused) as $row) {
    try {
        check_receipt($row->answer, $row->request->appointment, $row->request->agent);
        check_proof($row->answer->receipt, $row->proof, $row->vkey);
        $said = null;
    } catch (RuntimeException $bad) {
        $said = str_replace('refused: ', '', $bad->getMessage());
    }
    same($said, $row->fails ?? null, $row->name);
    $count++;
}
echo "self-test: $count vectors are as published\n";
