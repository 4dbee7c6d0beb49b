/**
 * One authority and its certificates for the tests of a file, and OpenSSL, loaded before the first
 * test: a library is not what a test leaves behind.
 * @module
 */
import { openssl } from "../../../src/transport/tls/openssl.ts";
import { opensslCallbacks } from "../../../src/transport/tls/openssl_callbacks.ts";
import { Authority } from "../../support/certificates.ts";

openssl();
opensslCallbacks();

export const authority = new Authority();
globalThis.addEventListener("unload", () => authority[Symbol.dispose]());

export const { cafile } = authority;
/** Of `localhost`, P-256. */
export const server = authority.issueServer();
export const client = authority.issue("client", {
  subject: "/C=DE/O=Lab/OU=Sensors, west+OU=B/CN=client one",
});

/** The one identity that has a key. */
export const key = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
export const psk = (identity: string) => identity === "sensor" ? key : null;
export const ownPsk = { identity: "sensor", key };

export const VERSIONS = ["tlsv1.2", "tlsv1.3"] as const;
/** Only that version. */
export const only = (version: "tlsv1.1" | "tlsv1.2" | "tlsv1.3") => ({
  minimumVersion: version,
  maximumVersion: version,
});
