import { nodeTlsEngine } from "../../../src/transport/tls/node_tls_engine.ts";
import { transportContract } from "../contract.ts";
import { cafile, only, server, VERSIONS } from "./lab.ts";
import { openTlsTransport } from "./tls_transport.ts";

for (const version of VERSIONS) {
  transportContract({
    name: `the runtime's TLS, ${version}`,
    open: (broker) =>
      openTlsTransport(
        broker,
        nodeTlsEngine.serverContext({ ...server, ...only(version) }),
        nodeTlsEngine.clientContext({ cafile }),
      ),
  });
}
