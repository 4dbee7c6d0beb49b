import { openssl } from "../../../src/transport/tls/openssl.ts";
import { opensslCallbacks } from "../../../src/transport/tls/openssl_callbacks.ts";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { Authority } from "../../support/certificates.ts";
import { transportContract } from "../contract.ts";
import { openTlsTransport } from "./tls_transport.ts";

// Loaded once for the process: not what a test leaves behind.
openssl();
opensslCallbacks();

const authority = new Authority();
const { cafile } = authority;
const server = authority.issueServer();
const client = authority.issue("client");
const key = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const psk = (identity: string) => identity === "sensor" ? key : null;
globalThis.addEventListener("unload", () => authority[Symbol.dispose]());

for (const version of ["tlsv1.2", "tlsv1.3"] as const) {
  const versions = { minimumVersion: version, maximumVersion: version };
  transportContract({
    name: `TLS, ${version}`,
    open: (broker) =>
      Promise.resolve(openTlsTransport(
        broker,
        opensslServerContext({ ...server, ...versions }),
        opensslClientContext({ cafile }),
      )),
  });
  transportContract({
    name: `TLS with client certificates, ${version}`,
    open: (broker) =>
      Promise.resolve(openTlsTransport(
        broker,
        opensslServerContext({ ...server, ...versions, cafile, requireCertificate: true }),
        opensslClientContext({ cafile, ...client }),
      )),
  });
  transportContract({
    name: `TLS with a pre-shared key, ${version}`,
    open: (broker) =>
      Promise.resolve(openTlsTransport(
        broker,
        opensslServerContext({ psk, pskHint: "hint", ...versions }),
        opensslClientContext({ psk: { identity: "sensor", key } }),
      )),
  });
}
