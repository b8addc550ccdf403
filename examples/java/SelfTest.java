// Proves the parts of Ecluse.java and Receipt.java on the published vectors; then all that must be refused.
import static java.nio.charset.StandardCharsets.UTF_8;
import java.nio.file.*;
import java.security.*;
import java.security.spec.X509EncodedKeySpec;
import java.util.*;

class SelfTest extends Receipt {
    static boolean verifies(String jws, String pem) throws GeneralSecurityException {
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]+-----", "").trim());
        Signature verifier = Signature.getInstance("SHA256withECDSAinP1363Format");
        verifier.initVerify(KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(der)));
        verifier.update(jws.substring(0, jws.lastIndexOf('.')).getBytes(UTF_8));
        try {
            return verifier.verify(Base64.getUrlDecoder().decode(jws.substring(jws.lastIndexOf('.') + 1)));
        } catch (SignatureException unreadable) { return false; }
    }
    static void run(Path folder) throws Exception {
        int count = 0;
        String client = at(Files.readString(folder.resolve("keys.json")), "keys", "client"), pem = say(client, "public_pem");
        String proofs = Files.readString(folder.resolve("proofs.json")), receipts = Files.readString(folder.resolve("receipts.json"));
        Ecluse.Key key = Ecluse.Key.of(say(client, "private_pem"));
        same(b64u(sha(key.jwk())), say(client, "thumbprint"), "thumbprint");
        for (String row : members(at(proofs, "accepted")).values()) {
            if (!say(row, "key").equals("client")) continue;
            String claims = at(row, "claims");
            same(verifies(say(row, "proof"), pem), true, say(row, "name"));
            String ours = key.proof(say(row, "method"), say(claims, "htu"), say(row, "token"), say(claims, "jti"), Long.parseLong(at(claims, "iat")));
            same(at(claims, "nonce") != null || ours.startsWith(say(row, "signing_input") + "."), true, "the parts of " + say(row, "name"));
            same(verifies(ours, pem), true, "our own signature");
            count++;
        }
        for (String row : members(at(proofs, "refused")).values()) {
            if (at(row, "check").equals("6")) same(verifies(say(row, "proof"), pem), false, say(row, "name"));
        }
        List<String> all = new ArrayList<>(members(at(receipts, "accepted")).values());
        all.addAll(members(at(receipts, "refused")).values());
        for (String row : all) {
            String said = null;
            try {
                check(at(row, "answer"), say(row, "request", "appointment"), say(row, "request", "agent"));
                checkProof(at(row, "answer", "receipt"), at(row, "proof"), say(row, "vkey"));
            } catch (Refused bad) { said = bad.getMessage().replace("refused: ", ""); }
            same(said, say(row, "fails"), say(row, "name"));
            count++;
        }
        System.out.println("self-test: " + count + " vectors are as published");
    }
}
