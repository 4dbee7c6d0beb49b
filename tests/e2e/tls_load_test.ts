import assert from "node:assert/strict";
import { LoadClient, Tally } from "../bench/load_client.ts";
import {
  BrokerProcess,
  eventually,
  pause,
  withDirectory,
  within,
} from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";
import { connect, subscribe } from "../support/packets.ts";

const KIB = 1024;
const LINUX = Deno.build.os === "linux";

/** What a client begins a handshake with. */
async function clientHello(): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = Deno.connectTls({ hostname: "127.0.0.1", port: listener.addr.port });
  const peer = await listener.accept();
  const buffer = new Uint8Array(4096);
  const length = await peer.read(buffer);
  peer.close();
  await client.then((connection) => connection.close(), () => {});
  return buffer.slice(0, length!);
}

/** Handshakes that stop in the middle: nothing, a part of a header, half a hello, a whole one. */
async function openHalf(port: number, count: number): Promise<Deno.Conn[]> {
  const hello = await clientHello();
  const beginnings = [0, 3, hello.length >> 1, hello.length];
  const opened: Deno.Conn[] = [];
  for (let index = 0; index < count; index++) {
    const raw = await Deno.connect({ hostname: "127.0.0.1", port });
    const beginning = hello.subarray(0, beginnings[index % beginnings.length]);
    if (beginning.length > 0) await raw.write(beginning);
    opened.push(raw);
  }
  return opened;
}

/** Sockets that a broker has open. Linux. */
function sockets({ pid }: BrokerProcess): number {
  const folder = `/proc/${pid}/fd`;
  return [...Deno.readDirSync(folder)].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`${folder}/${name}`).startsWith("socket:");
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** Reads what the broker has to say until it closes. */
async function untilClosed(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  try {
    while (await connection.read(buffer) !== null);
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
}

/** A broker with a listener for TLS whose certificate is of this authority. */
function withBroker(
  lines: readonly string[],
  run: (broker: BrokerProcess, authority: Authority) => Promise<void>,
): Promise<void> {
  return withDirectory(async (directory) => {
    const authority = new Authority("/O=Lab/CN=Lab Root", directory);
    const { certfile, keyfile } = authority.issueServer();
    await using broker = await BrokerProcess.start(directory, {
      configuration: [`certfile ${certfile}`, `keyfile ${keyfile}`, ...lines],
    });
    await run(broker, authority);
    broker.assertNoDefect();
    assert.equal(await broker.end(), 0);
  });
}

/** Clients that publish to themselves with QoS 1 over TLS, until they are told to stop. */
class Chatter implements AsyncDisposable {
  readonly tally = new Tally();
  readonly #clients: LoadClient[] = [];
  readonly #running: Promise<void>[] = [];
  #isStopping = false;

  static async start(
    port: number,
    name: string,
    count: number,
    caCerts: readonly string[],
  ): Promise<Chatter> {
    const chatter = new Chatter();
    const address = { host: "127.0.0.1", port, tls: true, ws: false, caCerts };
    for (let index = 0; index < count; index++) {
      const topic = `${name}-${index}`;
      const client = await LoadClient.open(address, 4, chatter.tally, {
        connect: connect(4, { clientId: topic }),
        subscribe: subscribe(4, { filters: [[topic, 1]] }),
      });
      chatter.#clients.push(client);
      await within(client.ready, () => "a client of the load is not served");
      client.prepare({
        topic,
        messages: Infinity,
        payloadBytes: 64,
        qos: 1,
        window: 10,
        topics: 0,
      });
      chatter.#running.push(chatter.#publish(client));
    }
    return chatter;
  }

  async #publish(client: LoadClient) {
    while (!this.#isStopping) {
      while (client.publishOne());
      await client.flush();
      await pause(1);
    }
  }

  /** Fails if anybody was dropped or anything was lost. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    const { tally } = this;
    await eventually(
      () => tally.received >= tally.sent && tally.acknowledged >= tally.sent,
      () => JSON.stringify(tally),
    );
    assert.deepEqual(
      [tally.ready, tally.closed, tally.received, tally.acknowledged],
      [this.#clients.length, 0, tally.sent, tally.sent],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    for (const client of this.#clients) client.close();
    await Promise.all([...this.#running, ...this.#clients.map((client) => client.done)]);
  }
}

Deno.test("a thousand half-open TLS handshakes disturb no client, and cost little", () =>
  withBroker(["connect_timeout 600"], async (broker, authority) => {
    const caCerts = [Deno.readTextFileSync(authority.cafile)];
    await using early = await Chatter.start(broker.port, "early", 4, caCerts);
    const before = LINUX ? broker.anonymousBytes() : 0;
    const socketsBefore = LINUX ? sockets(broker) : 0;
    const halfOpen = await openHalf(broker.port, 1000);
    await using late = await Chatter.start(broker.port, "late", 4, caCerts);
    if (LINUX) {
      await eventually(
        () => sockets(broker) === socketsBefore + 1004,
        () => `${sockets(broker) - socketsBefore} more sockets`,
      );
      const each = (broker.anonymousBytes() - before) / halfOpen.length;
      assert.ok(each < 100 * KIB, `${Math.round(each / KIB)} KiB each`);
    }
    const { sent } = late.tally;
    await eventually(() => late.tally.received > sent + 1000, () => "the load does not go on");
    await early.stop();
    await late.stop();
    for (const connection of halfOpen) connection.close();
  }));

Deno.test("who does not finish a TLS handshake in the time for CONNECT is closed", () =>
  withBroker(["connect_timeout 2"], async (broker, authority) => {
    await using load = await Chatter.start(broker.port, "load", 1, [
      Deno.readTextFileSync(authority.cafile),
    ]);
    const before = LINUX ? sockets(broker) : 0;
    const halfOpen = await openHalf(broker.port, 40);
    const closed = Promise.all(halfOpen.map(untilClosed));
    await within(closed, () => "a half-open connection is left");
    for (const connection of halfOpen) connection.close();
    await load.stop();
    const late = "Client connection from 127.0.0.1 failed: The TLS handshake took too long.";
    const told = () => broker.lines.filter((line) => line.endsWith(late)).length;
    await broker.until(() => told() === halfOpen.length, "line for each of them");
    if (LINUX) {
      await eventually(() => sockets(broker) === before, () => `${sockets(broker)} sockets`);
    }
  }));

Deno.test("a hundred reloads of other certificates under load drop nobody and lose nothing", () =>
  withBroker(["log_type all"], async (broker, authority) => {
    using second = new Authority("/O=Other/CN=Other Root");
    const chains = [authority, second].map((issuer) => {
      const { certfile, keyfile } = issuer.issueServer("next");
      return {
        certificate: Deno.readTextFileSync(certfile),
        key: Deno.readTextFileSync(keyfile),
        trusted: Deno.readTextFileSync(issuer.cafile),
      };
    });
    await using load = await Chatter.start(
      broker.port,
      "load",
      8,
      chains.map(({ trusted }) => trusted),
    );
    for (let reload = 0; reload < 100; reload++) {
      const { certificate, key, trusted } = chains[1 - reload % 2];
      Deno.writeTextFileSync(authority.path("server.crt"), certificate);
      Deno.writeTextFileSync(authority.path("server.key"), key);
      const from = broker.lines.length;
      const sent = load.tally.sent;
      broker.signal("SIGHUP");
      await broker.line(/No option has changed/, from);
      // Refused by who trusts the other authority alone, so that this shows which is in force.
      const connection = await Deno.connectTls({
        hostname: "127.0.0.1",
        port: broker.port,
        caCerts: [trusted],
      });
      await connection.handshake();
      connection.close();
      await eventually(() => load.tally.sent > sent, () => "the load does not go on");
    }
    await load.stop();
  }));
