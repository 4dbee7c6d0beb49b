import assert from "node:assert/strict";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { liveTlsSessions } from "../../../src/transport/tls/tls_session.ts";
import { eventually } from "../../support/broker_process.ts";
import { webSockets } from "../listener_options.ts";
import { StandInBroker } from "../stand_in_broker.ts";
import { cafile, client, server } from "./lab.ts";
import { dialTls, startTlsListener } from "./tls_transport.ts";

Deno.test("a listener tells the core what was agreed on", async () => {
  const broker = new StandInBroker();
  const context = opensslServerContext({ ...server, cafile, requireCertificate: true });
  const listener = await startTlsListener(broker.broker, context);
  const clientContext = opensslClientContext({ cafile, ...client });
  const stream = await dialTls(clientContext, listener.port);
  const core = await broker.connection(0);
  assert.equal(core.link.peer?.certificateName, "client one");
  assert.equal(core.link.peer?.tlsVersion, "TLSv1.3");
  assert.equal(core.link.peer?.cipher, "TLS_AES_256_GCM_SHA384");
  stream.close();
  await eventually(() => listener.connections === 0, () => "the listener sees the end");
  await listener.close();
  assert.equal(liveTlsSessions(), 0);
  for (const one of [context, clientContext]) one.free();
});

Deno.test("whoever fails behind the TLS handshake leaves nothing behind", async () => {
  const broker = new StandInBroker();
  const context = opensslServerContext(server);
  const clientContext = opensslClientContext({ cafile });
  const listener = await startTlsListener(broker.broker, context, webSockets);
  const buffer = new Uint8Array(1000);
  for (const request of ["not HTTP at all\r\n\r\n", "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"]) {
    const stream = await dialTls(clientContext, listener.port);
    await stream.write(new TextEncoder().encode(request));
    while (await stream.read(buffer) !== null);
    stream.close();
  }
  const silent = await dialTls(clientContext, listener.port);
  await eventually(() => listener.connections === 1, () => "one is left");
  await listener.close();
  await listener.drain(0);
  silent.close();
  await eventually(() => listener.connections === 0, () => "none is left");
  assert.equal(liveTlsSessions(), 0);
  assert.deepEqual(broker.faults, []);
  for (const one of [context, clientContext]) one.free();
});
