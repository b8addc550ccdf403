// Checks a receipt without asking anyone (docs/decisions/0001-formats.md): opening -> digests -> root -> leaf -> leaf hash, each value against its
// digest, and the entry in the signed log. It needs nothing else of this folder: an auditor may take it alone.
import static java.nio.charset.StandardCharsets.UTF_8;
import java.security.*;
import java.security.spec.X509EncodedKeySpec;
import java.util.*;

class Receipt {
    static class Refused extends RuntimeException { Refused(String why) { super(why); } }
    static void same(Object found, Object wanted, String what) { if (!Objects.equals(found, wanted)) throw new Refused("refused: " + what); }
    static String b64u(byte[] raw) { return Base64.getUrlEncoder().withoutPadding().encodeToString(raw); }
    static String hex(byte[] raw) { return HexFormat.of().formatHex(raw); }
    static byte[] unhex(String text) { return HexFormat.of().parseHex(text); }
    static byte[] sha(Object... parts) throws GeneralSecurityException {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        for (Object part : parts) hash.update(part instanceof byte[] raw ? raw : part.toString().getBytes(UTF_8));
        return hash.digest();
    }

    // JSON: the members of an object (by name) or list (by place), as they were written but for white space outside of texts. The gate
    // writes RFC 8785, so this is what was hashed. If it were not, the hash would not fit: nothing false is accepted.
    static Map<String, String> members(String json) {
        Map<String, String> found = new LinkedHashMap<>();
        StringBuilder item = new StringBuilder();
        String name = null;
        for (int i = 0, depth = 0, text = 0; i < json.length(); i++) {
            char c = json.charAt(i);
            if (text == 0 && Character.isWhitespace(c)) continue;
            if (text == 1 && c == '\\') { item.append(c).append(json.charAt(++i)); continue; }
            if (c == '"') text ^= 1;
            boolean opens = text == 0 && (c == '{' || c == '['), closes = text == 0 && (c == '}' || c == ']');
            if (opens && depth++ == 0) continue;
            if (closes && --depth == 0 || text == 0 && c == ',' && depth == 1) {
                String key = name != null ? text(name) : "" + found.size();
                if (item.length() > 0 && found.put(key, item.toString()) != null) throw new Refused("refused: a name twice");
                item.setLength(0);
                name = null;
            } else if (text == 0 && c == ':' && depth == 1) { name = item.toString(); item.setLength(0); }
            else item.append(c);
        }
        return found;
    }
    static String at(String json, String... way) { for (String name : way) json = json == null ? null : members(json).get(name); return json; }
    static String text(String raw) { return raw == null || raw.equals("null") ? null : raw.substring(1, raw.length() - 1).replace("\\n", "\n"); }
    static String say(String json, String... way) { return text(at(json, way)); }

    /** The places of a grant's fields: an entry with two of one name could show each holder another. */
    static final List<String> PLACES = List.of("at", "event", "disclosure", "processor", "client", "agent", "assurance", "appointment", "subject",
        "purpose", "legal_basis", "contract", "forms", "values", "fingerprints", "rules", "interval");

    static byte[] node(byte[] left, byte[] right) throws GeneralSecurityException { return sha(new byte[] {1}, left, right); }
    static byte[] root(List<byte[]> level) throws GeneralSecurityException {
        List<byte[]> up = new ArrayList<>(); // neighbours in pairs, a last odd one goes up as it is
        for (int i = 0; i < level.size(); i += 2) up.add(i + 1 < level.size() ? node(level.get(i), level.get(i + 1)) : level.get(i));
        return level.size() == 1 ? level.get(0) : root(up);
    }
    static byte[] digest(String what, String salt, String value) throws GeneralSecurityException {
        return sha(what, new byte[1], unhex(salt), value);
    }
    static void check(String answer, String appointment, String agent) throws GeneralSecurityException {
        String receipt = at(answer, "receipt"), opening = at(receipt, "opening"), hour = say(opening, "h");
        Map<String, String> shown = new HashMap<>();
        List<byte[]> digests = new ArrayList<>();
        for (String field : members(at(opening, "fields")).values()) {
            if (field.startsWith("\"")) { digests.add(unhex(text(field))); continue; } // hidden
            String name = say(field, "0"), value = at(field, "2");
            int place = PLACES.indexOf(name), here = digests.size();
            same(place < 0 ? Math.max(here, PLACES.size()) : place, here, "opening");
            same(shown.put(name, value), null, "opening");
            digests.add(digest("ecluse/1/" + name, say(field, "1"), value));
        }
        byte[] leaf = sha(new byte[1], "{\"c\":\"" + hex(root(digests)) + "\",\"h\":\"" + hour + "\",\"k\":\"decision\",\"v\":1}");
        same(hex(leaf), say(receipt, "leaf_hash"), "opening");
        same(text(shown.get("at")).substring(0, 13) + "Z", hour, "opening");
        same(text(shown.get("event")).matches("disclosure:(person|sheet):granted"), true, "opening");
        same(shown.get("disclosure"), at(answer, "disclosure"), "opening");
        same(List.of(text(shown.get("appointment")), text(shown.get("agent"))), List.of(appointment, agent), "opening");
        same(shown.get("forms"), at(answer, "forms"), "opening");
        Map<String, String> subject = members(at(answer, "subject")), values = members(shown.get("values"));
        Map<String, String> salts = members(at(receipt, "value_salts"));
        same(List.of(subject.keySet(), salts.keySet()), List.of(values.keySet(), values.keySet()), "values");
        for (String name : subject.keySet()) {
            same(hex(digest("ecluse/1/value/" + name, text(salts.get(name)), subject.get(name))), text(values.get(name)), "values");
        }
    }
    static void checkProof(String receipt, String proof, String vkey) throws Exception { // C2SP signed-note, RFC 9162 §2.1.3.2
        for (String name : List.of("log", "index", "leaf_hash")) same(at(proof, name), at(receipt, name), "proof");
        String[] key = vkey.split("\\+", 3);
        byte[] typed = Base64.getDecoder().decode(key[2]);
        same(hex(sha(key[0] + "\n", typed)).substring(0, 8), key[1], "checkpoint");
        String whole = say(proof, "checkpoint"), note = whole.substring(0, whole.lastIndexOf("\n\n") + 1);
        Signature verifier = Signature.getInstance("Ed25519");
        byte[] der = unhex("302a300506032b6570032100" + hex(typed).substring(2));
        boolean signed = false;
        for (String line : whole.substring(note.length() + 1).split("\n")) {
            if (!line.startsWith("\u2014 " + key[0] + " ")) continue;
            byte[] raw = Base64.getDecoder().decode(line.substring(line.lastIndexOf(' ') + 1));
            verifier.initVerify(KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der)));
            verifier.update(note.getBytes(UTF_8));
            signed |= hex(raw).startsWith(key[1]) && verifier.verify(Arrays.copyOfRange(raw, 4, raw.length));
        }
        same(signed, true, "checkpoint");
        String[] lines = note.split("\n");
        same(lines[0], say(receipt, "log"), "checkpoint");
        long at = Long.parseLong(at(receipt, "index")), last = Long.parseLong(lines[1]) - 1;
        byte[] hash = unhex(say(receipt, "leaf_hash"));
        same(at <= last, true, "proof");
        for (String step : members(at(proof, "inclusion")).values()) {
            same(last > 0, true, "proof");
            boolean left = (at & 1) == 1 || at == last;
            hash = left ? node(unhex(text(step)), hash) : node(hash, unhex(text(step)));
            while (left && at != 0 && (at & 1) == 0) { at >>= 1; last >>= 1; }
            at >>= 1;
            last >>= 1;
        }
        same(List.of(last, Base64.getEncoder().encodeToString(hash)), List.of(0L, lines[2]), "proof");
    }
}
