import assert from "node:assert/strict";
import mqtt, { type MqttClient } from "mqtt";
import { BrokerProcess, freePort, withDirectory, within } from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";
import { connect as connectPacket } from "../support/packets.ts";
import { upgradeRequest, WebSocketClient } from "../transport/web_socket_client.ts";

/** A connected client of mqtt.js, by its URL. */
async function connect(url: string, version: 3 | 4 | 5 = 4): Promise<MqttClient> {
  const client = mqtt.connect(url, {
    protocolVersion: version,
    protocolId: version === 3 ? "MQIsdp" : "MQTT",
    reconnectPeriod: 0,
    timerVariant: "native",
  });
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
  });
  await within(connected, () => `no CONNACK from ${url}`);
  return client;
}

/** Resolves with topic and payload of the next message. */
function next(client: MqttClient): Promise<[string, string]> {
  const came = new Promise<[string, string]>((resolve) =>
    client.once("message", (topic, payload) => resolve([topic, payload.toString()]))
  );
  return within(came, () => "no message came");
}

/** A broker with these listeners beside its first; `ends` false: the test ends it itself. */
function withListeners(
  lines: (directory: string) => readonly string[],
  test: (broker: BrokerProcess, directory: string) => Promise<void>,
  ends = true,
): Promise<void> {
  return withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["allow_anonymous true", ...lines(directory)],
    });
    await test(broker, directory);
    broker.assertNoDefect();
    if (ends) assert.equal(await broker.end(), 0);
  });
}

for (const version of [3, 4, 5] as const) {
  const port = freePort();
  Deno.test(`mqtt.js ${version} speaks over WebSocket with a client on TCP`, () =>
    withListeners(
      () => [`listener ${port} 127.0.0.1`, "protocol websockets"],
      async (broker) => {
        const web = await connect(`ws://127.0.0.1:${port}/mqtt`, version);
        const tcp = await connect(`mqtt://127.0.0.1:${broker.port}`, version);
        await web.subscribeAsync("to/web", { qos: 2 });
        await tcp.subscribeAsync("to/tcp", { qos: 1 });
        for (const length of [0, 1, 1000, 300_000]) {
          const payload = "x".repeat(length);
          const atWeb = next(web), atTcp = next(tcp);
          await tcp.publishAsync("to/web", payload, { qos: 2 });
          await web.publishAsync("to/tcp", payload, { qos: 1 });
          assert.deepEqual(await atWeb, ["to/web", payload]);
          assert.deepEqual(await atTcp, ["to/tcp", payload]);
        }
        await web.endAsync();
        await broker.line(/Client \S+ \[127\.0\.0\.1:\d+\] disconnected\.$/);
        await tcp.endAsync();
      },
    ));
}

Deno.test("a client behind a proxy has its own address in the log", () => {
  const port = freePort();
  return withListeners(
    () => [`listener ${port} 127.0.0.1`, "enable_proxy_protocol 1"],
    async (broker) => {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      await client.write(new TextEncoder().encode("PROXY TCP4 192.0.2.5 127.0.0.1 6275 1234\r\n"));
      await client.write(connectPacket(5, { clientId: "proxied", keepAliveSeconds: 42 }));
      await broker.line(
        /New client connected from 192\.0\.2\.5:6275 as proxied \(p5, c1, k42\)\.$/,
      );
      assert.ok(!broker.lines.some((line) => line.includes("New connection from")));
    },
  );
});

Deno.test("PROXY header, TLS and WebSocket, each in the one before", async () => {
  const port = freePort();
  using authority = new Authority();
  const { certfile, keyfile } = authority.issueServer();
  const caCerts = [Deno.readTextFileSync(authority.cafile)];
  await withListeners(
    () => [
      "user root",
      `listener ${port} 127.0.0.1`,
      "enable_proxy_protocol 1",
      "protocol websockets",
      `certfile ${certfile}`,
      `keyfile ${keyfile}`,
    ],
    async (broker) => {
      const raw = await Deno.connect({ hostname: "127.0.0.1", port });
      await raw.write(new TextEncoder().encode("PROXY TCP6 2001:db8::7 ::1 6275 1234\r\n"));
      using secure = await Deno.startTls(raw, { hostname: "localhost", caCerts });
      const client = await within(
        WebSocketClient.open(secure, upgradeRequest()),
        () => "no answer to the upgrade",
      );
      await client.write(connectPacket(5, { clientId: "layered" }));
      await broker.line(/New client connected from 2001:db8::7:6275 as layered \(p5, c1, k60\)\.$/);
      await broker.line(/Client layered negotiated TLSv1\.3 cipher /);
      assert.equal((await within(client.readFrame(), () => "no CONNACK"))!.payload[0], 0x20);
    },
  );
});

Deno.test("a Unix domain socket, an interface, a name and WebSocket in one broker", () => {
  const ports = [freePort(), freePort()];
  return withListeners(
    (directory) => [
      `listener 0 ${directory}/socket`,
      `listener ${ports[0]}`,
      "bind_interface lo",
      "socket_domain ipv4",
      `listener ${ports[1]} localhost`,
      "user root",
    ],
    async (broker, directory) => {
      const client = await connect(`mqtt://127.0.0.1:${broker.port}`);
      await client.subscribeAsync("#");
      const publishers = [
        await connect(`mqtt://127.0.0.1:${ports[0]}`),
        await connect(`mqtt://localhost:${ports[1]}`),
      ];
      for (const [index, publisher] of publishers.entries()) {
        const message = next(client);
        publisher.publish("from", `${index}`);
        assert.deepEqual(await message, ["from", `${index}`]);
        await publisher.endAsync();
      }
      using unix = await Deno.connect({ transport: "unix", path: `${directory}/socket` });
      await unix.write(connectPacket(4, { clientId: "local" }));
      await broker.line(/ as local \(/);
      assert.ok(
        broker.lines.some((line) => line.includes(`from ${directory}/socket:0 as local (`)),
      );
      await client.endAsync();
    },
  );
});

const account = /^mosquitto:[^:]*:(\d+):(\d+):/m.exec(Deno.readTextFileSync("/etc/passwd"));

Deno.test({
  name: "a Unix domain socket belongs to the account the broker runs as, and goes away with it",
  ignore: Deno.uid() !== 0 || account === null,
  fn: () =>
    withListeners((directory) => {
      const [, uid, gid] = account!;
      Deno.chownSync(directory, Number(uid), Number(gid));
      return [`listener 0 ${directory}/socket`, "user mosquitto"];
    }, async (broker, directory) => {
      const { uid, gid, mode } = Deno.statSync(`${directory}/socket`);
      assert.deepEqual([`${uid}`, `${gid}`, mode! & 0o777], [account![1], account![2], 0o770]);
      assert.equal(await broker.end(), 0);
      assert.throws(() => Deno.lstatSync(`${directory}/socket`), Deno.errors.NotFound);
    }, false),
});

Deno.test("the HTTP interface of Mosquitto asks who somebody is as MQTT does", () => {
  const port = freePort();
  return withDirectory(async (directory) => {
    const path = `${directory}/passwords`;
    await within(
      new Deno.Command("mosquitto_passwd", { args: ["-c", "-b", path, "me", "secret"] }).output(),
      () => "mosquitto_passwd does not end",
    );
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        "allow_anonymous false",
        `password_file ${path}`,
        `listener ${port} 127.0.0.1`,
        "protocol http_api",
      ],
    });
    const ask = async (credentials?: string) => {
      const headers = credentials ? { Authorization: `Basic ${btoa(credentials)}` } : undefined;
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/listeners`, { headers });
      return [answer.status, await answer.text()] as const;
    };
    assert.deepEqual(await ask(), [401, "Not authorised\n"]);
    assert.deepEqual(await ask("me:wrong"), [401, "Not authorised\n"]);
    const [status, body] = await ask("me:secret");
    assert.equal(status, 200);
    const protocols = JSON.parse(body).listeners.map((one: { protocol: string }) => one.protocol);
    assert.deepEqual(protocols, ["mqtt", "httpapi"]);
    broker.assertNoDefect();
  });
});

for (
  const [title, lines, message] of [
    [
      "an interface that is not there",
      ["bind_interface eth77"],
      /Error: cannot listen on \*:\d+: Interface eth77 does not exist\./,
    ],
    [
      "a directory of files that is not there",
      ["protocol websockets", "http_dir /nonexistent"],
      /Error: cannot listen on \*:\d+: No such file or directory/,
    ],
  ] as const
) {
  Deno.test(`the start ends with status 1: ${title}`, () =>
    withDirectory(async (directory) => {
      const port = freePort();
      const file = `${directory}/broker.conf`;
      Deno.writeTextFileSync(file, [`listener ${port}`, ...lines].join("\n"));
      await using broker = BrokerProcess.spawn({ port, args: ["-c", file] });
      assert.equal(await broker.exitStatus(), 1);
      assert.ok(broker.lines.some((line) => message.test(line)), broker.lines.join("\n"));
    }));
}
