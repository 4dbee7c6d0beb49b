import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { transportContract } from "../contract.ts";
import { webSockets } from "../listener_options.ts";
import { WebSocketClient } from "../web_socket_client.ts";
import { cafile, client, only, ownPsk, psk, server, VERSIONS } from "./lab.ts";
import { openTlsTransport } from "./tls_transport.ts";

for (const version of VERSIONS) {
  transportContract({
    name: `TLS, ${version}`,
    open: (broker) =>
      openTlsTransport(
        broker,
        opensslServerContext({ ...server, ...only(version) }),
        opensslClientContext({ cafile }),
      ),
  });
  transportContract({
    name: `TLS with client certificates, ${version}`,
    open: (broker) =>
      openTlsTransport(
        broker,
        opensslServerContext({ ...server, ...only(version), cafile, requireCertificate: true }),
        opensslClientContext({ cafile, ...client }),
      ),
  });
  transportContract({
    name: `TLS with a pre-shared key, ${version}`,
    open: (broker) =>
      openTlsTransport(
        broker,
        opensslServerContext({ psk, pskHint: "hint", ...only(version) }),
        opensslClientContext({ psk: ownPsk }),
      ),
  });
}

transportContract({
  name: "WebSocket over TLS",
  open: (broker) =>
    openTlsTransport(
      broker,
      opensslServerContext(server),
      opensslClientContext({ cafile }),
      webSockets,
      (stream) => WebSocketClient.open(stream),
    ),
});
