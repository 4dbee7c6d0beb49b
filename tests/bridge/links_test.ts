/** How bridges reach their remote brokers, and what the log says when they do not. */
import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  freePort,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { hasMosquitto, MosquittoProcess } from "./mosquitto_process.ts";

/** One broker of ours with many bridges; returns it once each of them has got somewhere. */
async function withBridges(
  directory: string,
  bridges: Record<string, readonly string[]>,
): Promise<BrokerProcess> {
  const broker = await BrokerProcess.start(directory, {
    configuration: [
      "allow_anonymous true",
      ...persistent(directory),
      ...Object.entries(bridges).flatMap(([name, lines]) => [
        `connection ${name}`,
        `topic ${name}/# out 1`,
        "restart_timeout 600",
        ...lines,
      ]),
    ],
  });
  for (const name of Object.keys(bridges)) {
    await broker.line(new RegExp(`Bridge ${name} (is connected|next backoff)`));
  }
  return broker;
}

/** What is logged of each bridge that failed, and `connected` for one that did not. */
function outcomes(broker: BrokerProcess, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => {
    const lines = broker.lines.filter((line) => line.includes(`Bridge ${name} `));
    const errors = lines.filter((line) => line.includes("Error:"))
      .map((line) =>
        line.replace(/^.*?Error: Bridge \S+ /, "").replace(/127\.0\.0\.1:\d+/, "THERE")
      );
    if (lines.some((line) => line.includes("is connected"))) errors.push("connected");
    return [name, errors.join(", ")];
  }));
}

Deno.test({
  name: "what keeps a bridge from Mosquitto stands in one line of the log each",
  ignore: !hasMosquitto(),
  fn: () =>
    withDirectory(async (directory) => {
      using authority = new Authority();
      using stranger = new Authority("/O=Lab/CN=Stranger");
      const { certfile, keyfile } = authority.issueServer();
      const other = authority.issue("other", { altNames: "DNS:other.test" });
      const [named, tls, misnamed, psk] = [freePort(), freePort(), freePort(), freePort()];
      const remoteDirectory = `${directory}/remote`;
      await Deno.mkdir(remoteDirectory);
      await new Deno.Command("mosquitto_passwd", {
        args: ["-b", "-c", `${remoteDirectory}/users`, "me", "secret"],
      }).output();
      Deno.writeTextFileSync(`${remoteDirectory}/keys`, "sensor:00ff12ab\n");
      await using remote = await MosquittoProcess.start(remoteDirectory, {
        configuration: [
          `listener ${named} 127.0.0.1`,
          `password_file ${remoteDirectory}/users`,
          ...[
            [tls, certfile, keyfile],
            [misnamed, other.certfile, other.keyfile],
          ].flatMap(([port, cert, key]) => [
            `listener ${port} 127.0.0.1`,
            "allow_anonymous true",
            `cafile ${authority.cafile}`,
            `certfile ${cert}`,
            `keyfile ${key}`,
          ]),
          `listener ${psk} 127.0.0.1`,
          "allow_anonymous true",
          "psk_hint lab",
          `psk_file ${remoteDirectory}/keys`,
        ],
      });
      const bridges = {
        plain: [`address 127.0.0.1:${remote.port}`],
        password: [
          `address 127.0.0.1:${named}`,
          "remote_username me",
          "remote_password secret",
        ],
        wrong_password: [
          `address 127.0.0.1:${named}`,
          "remote_username me",
          "remote_password sesame",
        ],
        nobody: [`address 127.0.0.1:${freePort()}`],
        nowhere: ["address nowhere.invalid:1883"],
        tls: [`address localhost:${tls}`, `bridge_cafile ${authority.cafile}`],
        wrong_authority: [`address 127.0.0.1:${tls}`, `bridge_cafile ${stranger.cafile}`],
        wrong_name: [`address 127.0.0.1:${misnamed}`, `bridge_cafile ${authority.cafile}`],
        insecure: [
          `address 127.0.0.1:${misnamed}`,
          `bridge_cafile ${authority.cafile}`,
          "bridge_insecure true",
        ],
        psk: [`address 127.0.0.1:${psk}`, "bridge_identity sensor", "bridge_psk 00ff12ab"],
        wrong_psk: [`address 127.0.0.1:${psk}`, "bridge_identity sensor", "bridge_psk 00ff12ac"],
        bound: [
          `address 127.0.0.1:${remote.port}`,
          "bridge_bind_address 127.0.0.7",
          "bridge_tcp_keepalive 7 8 9",
          "bridge_tcp_user_timeout 12345",
        ],
      };
      await using local = await withBridges(directory, bridges);
      const found = outcomes(local, Object.keys(bridges));
      const { wrong_psk, nowhere, ...others } = found;
      assert.deepEqual(others, {
        plain: "connected",
        password: "connected",
        wrong_password: "Connection Refused: not authorised",
        nobody: "cannot connect to THERE: Connection refused",
        tls: "connected",
        wrong_authority: "cannot connect to THERE: " + others.wrong_authority.slice(25),
        wrong_name: "cannot connect to THERE: " + others.wrong_name.slice(25),
        insecure: "connected",
        psk: "connected",
        bound: "connected",
      });
      assert.match(others.wrong_authority, /THERE: .*(unable to get|self.signed|issuer)/i);
      assert.match(others.wrong_name, /THERE: .*(IP address|host ?name) mismatch/i);
      assert.match(wrong_psk, /^cannot connect to THERE: [^,]+$/);
      assert.match(nowhere, /^cannot connect to nowhere\.invalid:1883: [^,]+$/);
      assert.match(remote.log, /New connection from 127\.0\.0\.7/);
      // The kernel's timer of the connection from 127.0.0.7: 2 is that of keep-alive, in hundredths.
      const connection = Deno.readTextFileSync("/proc/net/tcp").split("\n")
        .find((line) => /^\s*\d+: 0700007F:/.test(line)) ?? "no such connection";
      const [, kind, when] = /\s(0\d):([0-9A-F]{8})\s/.exec(connection) ?? [];
      assert.equal(kind, "02", connection);
      assert.ok(parseInt(when, 16) <= 700, connection);
      local.assertNoDefect();
    }),
});

Deno.test("a bridge over WebSocket, to one of ours", () =>
  withDirectory(async (directory) => {
    const remoteDirectory = `${directory}/remote`;
    await Deno.mkdir(remoteDirectory);
    const port = freePort();
    await using remote = await BrokerProcess.start(remoteDirectory, {
      configuration: [
        "allow_anonymous true",
        ...persistent(remoteDirectory),
        `listener ${port} 127.0.0.1`,
        "protocol websockets",
      ],
    });
    await using local = await withBridges(directory, {
      web: [`address ws://127.0.0.1:${port}/mqtt`],
      none: [`address ws://127.0.0.1:${freePort()}/mqtt`],
    });
    const { web, none } = outcomes(local, ["web", "none"]);
    assert.equal(web, "connected");
    assert.match(none, /^cannot connect to ws:/);
    await using there = new LastingClient(5, "t");
    await there.connect(remote.port);
    await new Promise<void>((resolve) => there.subscribe("#", 2, resolve));
    await using here = new LastingClient(5, "h");
    await here.connect(local.port);
    here.publish({ topic: "web/a", payload: "x".repeat(100_000), qos: 1 }, () => {});
    await eventually(() => there.taken.length > 0, () => "nothing came");
    assert.equal(there.taken[0].text.length, 100_000);
    assert.equal(await local.end(), 0);
    local.assertNoDefect();
  }));

Deno.test("whoever publishes faster than a bridge is, by default settings, waits and loses nothing", () =>
  withDirectory(async (directory) => {
    const remoteDirectory = `${directory}/remote`;
    await Deno.mkdir(remoteDirectory);
    await using remote = await BrokerProcess.start(remoteDirectory);
    const bridge = ["connection b", `address 127.0.0.1:${remote.port}`, "topic # out 2"];
    await using local = await BrokerProcess.start(directory, { configuration: bridge });
    await local.line(/Bridge b is connected/);
    await using there = new LastingClient(4, "there");
    await there.connect(remote.port);
    await new Promise<void>((resolve) => there.subscribe("flood", 1, resolve));
    await using here = new LastingClient(4, "here");
    await here.connect(local.port);
    const count = 20_000;
    let acknowledged = 0;
    // All at once: many times what may be queued.
    for (let number = 0; number < count; number++) {
      here.publish({ topic: "flood", payload: `${number}`, qos: 1 }, () => acknowledged++);
    }
    await eventually(
      () => acknowledged === count && there.taken.length === count,
      () => `${acknowledged} acknowledged, ${there.taken.length} taken`,
    );
    assert.deepEqual(there.taken.map(({ text }) => Number(text)), [...Array(count).keys()]);
  }));

Deno.test("SIGHUP adds, changes and removes bridges and leaves the others alone", () =>
  withDirectory(async (directory) => {
    const remoteDirectory = `${directory}/remote`;
    await Deno.mkdir(remoteDirectory);
    await using remote = await BrokerProcess.start(remoteDirectory, {
      configuration: ["allow_anonymous true", ...persistent(remoteDirectory)],
    });
    const bridge = (name: string, ...lines: string[]) => [
      `connection ${name}`,
      `address 127.0.0.1:${remote.port}`,
      `topic ${name}/# out 1`,
      "restart_timeout 1",
      ...lines,
    ];
    await using local = await BrokerProcess.start(directory, {
      configuration: [
        "allow_anonymous true",
        ...persistent(directory),
        ...bridge("stays"),
        ...bridge("changes"),
        ...bridge("goes"),
      ],
    });
    for (const name of ["stays", "changes", "goes"]) {
      await local.line(new RegExp(`Bridge ${name} is connected`));
    }
    const from = local.lines.length;
    const file = `${directory}/broker.conf`;
    const text = Deno.readTextFileSync(file);
    Deno.writeTextFileSync(
      file,
      [
        text.slice(0, text.indexOf("connection stays")),
        ...bridge("stays"),
        ...bridge("changes", "keepalive_interval 33", "bridge_reload_type immediate"),
        ...bridge("comes"),
        "",
      ].join("\n"),
    );
    local.signal("SIGHUP");
    await local.line(/Bridge comes is connected/, from);
    await local.line(/Bridge changes is connected/, from);
    const later = local.lines.slice(from);
    assert.ok(!later.some((line) => line.includes("Bridge stays")));
    assert.ok(!later.some((line) => /Bridge goes is/.test(line)));
    await remote.line(/as \S+\.changes \(p4, c0, k33\)/);
    await remote.line(/Client \S+\.goes \[.*\] disconnected\.$/);
  }));
