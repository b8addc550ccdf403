<?php
// Checks a receipt without asking anyone (docs/decisions/0001-formats.md): opening -> digests -> root -> leaf -> leaf hash, each value against its
// digest, and the entry in the signed log. It needs nothing else of this folder: an auditor may take it alone.
declare(strict_types=1);

/** The places of a grant's fields: an entry with two of one name could show each holder another. */
const PLACES = ['at', 'event', 'disclosure', 'processor', 'client', 'agent', 'assurance', 'appointment', 'subject', 'purpose', 'legal_basis', 'contract',
    'forms', 'values', 'fingerprints', 'rules', 'interval'];

function same(mixed $found, mixed $wanted, string $what): void { if ($found !== $wanted) throw new RuntimeException("refused: $what"); }

/** Write RFC 8785: members sorted, nothing escaped that need not be. Our values are texts, integers, booleans, null, lists and objects of these. */
function canonical(mixed $value): string
{
    if ($value instanceof stdClass) {
        $members = get_object_vars($value);
        ksort($members, SORT_STRING);
        $written = array_map(fn ($name, $each) => canonical((string) $name) . ':' . canonical($each), array_keys($members), $members);
        return '{' . implode(',', $written) . '}';
    }
    if (is_array($value)) return '[' . implode(',', array_map('canonical', $value)) . ']';
    return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_LINE_TERMINATORS);
}

function digest(string $what, string $salt, mixed $value): string { return hash('sha256', "$what\0" . hex2bin($salt) . canonical($value), true); }
function node(string $left, string $right): string { return hash('sha256', "\x01$left$right", true); }
function root(array $level): string
{
    while (count($level) > 1) { // neighbours in pairs, a last odd one goes up as it is
        $level = array_map(fn ($pair) => count($pair) > 1 ? node(...$pair) : $pair[0], array_chunk($level, 2));
    }
    return $level[0];
}
function names(stdClass $object): array { $names = array_keys(get_object_vars($object)); sort($names, SORT_STRING); return $names; }
function check_receipt(stdClass $answer, string $appointment, string $agent): void
{
    [$receipt, $shown, $digests] = [$answer->receipt, [], []];
    foreach ($receipt->opening->fields as $field) {
        if (is_string($field)) { $digests[] = hex2bin($field); continue; } // hidden
        $place = array_search($field[0], PLACES, true);
        same([array_key_exists($field[0], $shown), count($digests)], [false, $place === false ? max(count($digests), count(PLACES)) : $place], 'opening');
        $shown[$field[0]] = $field[2];
        $digests[] = digest("ecluse/1/$field[0]", $field[1], $field[2]);
    }
    $hour = $receipt->opening->h;
    $leaf = sprintf('{"c":"%s","h":"%s","k":"decision","v":1}', bin2hex(root($digests)), $hour);
    same(hash('sha256', "\0$leaf"), $receipt->leaf_hash, 'opening');
    same([substr($shown['at'], 0, 13) . 'Z', preg_match('/\Adisclosure:(person|sheet):granted\z/', $shown['event'])], [$hour, 1], 'opening');
    same([$shown['disclosure'], $shown['appointment'], $shown['agent']], [$answer->disclosure, $appointment, $agent], 'opening');
    same(canonical($shown['forms']), canonical($answer->forms), 'opening');
    same([names($answer->subject), names($receipt->value_salts)], [names($shown['values']), names($shown['values'])], 'values');
    foreach (get_object_vars($answer->subject) as $name => $value) {
        same(bin2hex(digest("ecluse/1/value/$name", $receipt->value_salts->$name, $value)), $shown['values']->$name, 'values');
    }
}
/** The entry is in the log that the pinned key signs (C2SP signed-note, RFC 9162 §2.1.3.2). */
function check_proof(stdClass $receipt, stdClass $proof, string $vkey): void
{
    same([$proof->log, $proof->index, $proof->leaf_hash], [$receipt->log, $receipt->index, $receipt->leaf_hash], 'proof');
    [$name, $id, $key] = explode('+', $vkey, 3);
    $key = base64_decode($key, true); // 0x01 for Ed25519, and 32 bytes
    same([substr(hash('sha256', "$name\n$key"), 0, 8), $key[0]], [$id, "\x01"], 'checkpoint');
    $cut = strrpos($proof->checkpoint, "\n\n") + 1;
    [$note, $signed] = [substr($proof->checkpoint, 0, $cut), false];
    foreach (explode("\n", substr($proof->checkpoint, $cut + 1)) as $line) {
        $raw = str_starts_with($line, "— $name ") ? base64_decode(substr($line, strlen("— $name ")), true) : '';
        if (bin2hex(substr($raw, 0, 4)) === $id) $signed = sodium_crypto_sign_verify_detached(substr($raw, 4), $note, substr($key, 1));
    }
    same($signed, true, 'checkpoint');
    [$origin, $size, $root] = explode("\n", $note);
    same($origin, $receipt->log, 'checkpoint');
    [$at, $last, $hash] = [$receipt->index, (int) $size - 1, hex2bin($receipt->leaf_hash)];
    same($at <= $last, true, 'proof');
    foreach (array_map('hex2bin', $proof->inclusion) as $step) {
        same($last > 0, true, 'proof');
        $left = $at & 1 || $at === $last;
        $hash = $left ? node($step, $hash) : node($hash, $step);
        while ($left && $at && !($at & 1)) { $at >>= 1; $last >>= 1; }
        $at >>= 1;
        $last >>= 1;
    }
    same([$last, base64_encode($hash)], [0, $root], 'proof');
}
