// A contractor's machine at an Écluse gate, in Java 17 without any library: token, sessions, one person, a safe retry, the receipt.
//   sh run.sh --self-test [FOLDER]   proves itself on the published vectors (default: this repository's)
//   sh run.sh                        works; wants ECLUSE_URL, ECLUSE_CLIENT (cli_…), ECLUSE_KEY (PEM file, P-256), ECLUSE_AGENT (agt_…)
//                                    and ECLUSE_VKEY (the log's key); ECLUSE_ATTRIBUTES: default "family_name given_name"
// It prints codes, numbers and forms, never a person's values.
import static java.nio.charset.StandardCharsets.UTF_8;
import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.nio.file.*;
import java.security.*;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.*;
import java.util.*;
import java.util.stream.*;

class Ecluse extends Receipt {
    /** The key: JWK (members in the order of RFC 7638), signatures (RFC 7515). */
    record Key(ECPrivateKey secret, String jwk) {
        static Key of(String pem) throws GeneralSecurityException { // PKCS#8; a P-256 key of openssl holds its public point at the end
            byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]+-----", "").trim());
            String x = b64u(Arrays.copyOfRange(der, der.length - 64, der.length - 32));
            String y = b64u(Arrays.copyOfRange(der, der.length - 32, der.length));
            return new Key((ECPrivateKey) KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der)),
                "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" + x + "\",\"y\":\"" + y + "\"}");
        }
        String jws(String header, String claims) throws GeneralSecurityException {
            String message = b64u(header.getBytes(UTF_8)) + "." + b64u(claims.getBytes(UTF_8));
            Signature signer = Signature.getInstance("SHA256withECDSAinP1363Format"); // r and s, not ASN.1
            signer.initSign(secret);
            signer.update(message.getBytes(UTF_8));
            return message + "." + b64u(signer.sign());
        }
        String proof(String method, String address, String token, String jti, long iat) throws GeneralSecurityException { // RFC 9449 §4.2
            String ath = token == null ? "" : ",\"ath\":\"" + b64u(sha(token)) + "\"";
            return jws("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":" + jwk + "}",
                "{\"jti\":\"" + jti + "\",\"htm\":\"" + method + "\",\"htu\":\"" + address + "\",\"iat\":" + iat + ath + "}");
        }
    }

    static final HttpClient HTTP = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build(); // follows no redirect
    static final SecureRandom CHANCE = new SecureRandom();
    final String url = System.getenv("ECLUSE_URL"), client = System.getenv("ECLUSE_CLIENT"), issuer, endpoint;
    final Key key = Key.of(Files.readString(Path.of(System.getenv("ECLUSE_KEY"))));
    String token;

    Ecluse() throws Exception {
        String metadata = HTTP.send(request(url + "/.well-known/oauth-authorization-server").build(), HttpResponse.BodyHandlers.ofString()).body();
        issuer = say(metadata, "issuer");
        endpoint = say(metadata, "token_endpoint");
        same(issuer, url, "the metadata is of another server");
        renew();
    }
    static HttpRequest.Builder request(String address) { return HttpRequest.newBuilder(URI.create(address)).timeout(Duration.ofSeconds(15)); }
    static String fresh() { byte[] raw = new byte[16]; CHANCE.nextBytes(raw); return hex(raw); }
    static long now() { return Instant.now().getEpochSecond(); }

    /** Get a token: private_key_jwt (RFC 7523), with a proof of the same key. */
    void renew() throws Exception {
        String claims = "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"iat\":%d,\"exp\":%d,\"jti\":\"%s\"}"
            .formatted(client, client, issuer, now(), now() + 60, fresh());
        String type = URLEncoder.encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", UTF_8), signed = key.jws("{\"alg\":\"ES256\"}", claims);
        String form = "grant_type=client_credentials&client_assertion_type=" + type + "&client_assertion=" + signed;
        HttpRequest ask = request(endpoint).header("DPoP", key.proof("POST", endpoint, null, fresh(), now()))
            .header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(form)).build();
        HttpResponse<String> answer = HTTP.send(ask, HttpResponse.BodyHandlers.ofString());
        token = say(answer.body(), "access_token");
        if (token == null) throw new Refused("no token: " + say(answer.body(), "error"));
    }

    /** One call: the same body and Idempotency-Key in every attempt, a fresh proof in each. */
    String call(String path, String body, String once) throws Exception {
        String method = body == null ? "GET" : "POST", seen = "no answer";
        for (long patience : new long[] {1, 2, 4, 8, 0}) {
            HttpRequest.Builder ask = request(url + path).header("Authorization", "DPoP " + token)
                .header("DPoP", key.proof(method, url + path.split("\\?")[0], token, fresh(), now()));
            if (body != null) ask.header("Content-Type", "application/json").header("Idempotency-Key", once);
            if (body != null) ask.POST(HttpRequest.BodyPublishers.ofString(body));
            long wait = patience;
            try {
                HttpResponse<String> answer = HTTP.send(ask.build(), HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() == 200) return answer.body();
                String type = say(answer.body(), "type"); // the page says whose move it is
                seen = answer.statusCode() + " " + url + type;
                Optional<String> after = answer.headers().firstValue("Retry-After");
                if ("/problems/invalid-token".equals(type)) renew();
                else if (after.isEmpty() || answer.statusCode() == 429) break;
                wait = Math.max(patience, after.map(Long::parseLong).orElse(0L));
            } catch (IOException lost) { seen = "no answer"; } // nobody knows whether it arrived
            if (patience > 0) Thread.sleep(1000 * wait);
        }
        throw new Refused(seen);
    }

    void work(String agent, String vkey, String attributes) throws Exception {
        String now = Instant.now().toString(), once = fresh();
        Optional<String> open = members(at(call("/v1/sessions", null, null), "sessions")).values().stream()
            .flatMap(session -> members(at(session, "appointments")).values().stream())
            .filter(place -> say(place, "opens_at").compareTo(now) <= 0 && now.compareTo(say(place, "closes_at")) < 0)
            .map(place -> say(place, "id")).findFirst();
        if (open.isEmpty()) { System.out.println("no appointment is open now"); return; }
        String names = Stream.of(attributes.split(" ")).map(name -> "\"" + name + "\"").collect(Collectors.joining(","));
        String ask = "{\"appointment\":\"" + open.get() + "\",\"agent\":\"" + agent + "\",\"attributes\":[" + names + "]}";
        String person = call("/v1/disclosures", ask, once), receipt = at(person, "receipt"), index = at(receipt, "index");
        check(person, open.get(), agent);
        System.out.println("disclosed " + say(person, "disclosure") + ": " + at(person, "forms"));
        same(at(call("/v1/disclosures", ask, once), "receipt"), receipt, "another receipt");
        System.out.println("asked again with the same key: the same receipt, entry " + index);
        checkProof(receipt, call("/v1/disclosures/" + say(person, "disclosure") + "/proof", null, null), vkey);
        System.out.println("entry " + index + " is in the log " + say(receipt, "log"));
    }

    public static void main(String[] arguments) throws Exception {
        try {
            if (arguments.length > 0 && arguments[0].equals("--self-test")) SelfTest.run(Path.of(arguments[1]));
            else new Ecluse().work(System.getenv("ECLUSE_AGENT"), System.getenv("ECLUSE_VKEY"),
                System.getenv().getOrDefault("ECLUSE_ATTRIBUTES", "family_name given_name"));
        } catch (Refused bad) { System.err.println(bad.getMessage()); System.exit(1); }
    }
}
