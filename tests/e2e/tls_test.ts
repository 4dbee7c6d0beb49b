import assert from "node:assert/strict";
import { BrokerProcess } from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";

const PUB = "/usr/bin/mosquitto_pub";

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const ignore = !isThere(PUB) || !isThere("/usr/bin/openssl");

/** A broker with TLS and the authority of its certificates, in one directory. */
class Scene implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly authority = new Authority("/O=Lab/CN=Lab Root", this.directory);
  broker: BrokerProcess | null = null;

  async start(
    configuration: readonly string[],
    { args, through }: { args?: readonly string[]; through?: readonly string[] } = {},
  ): Promise<BrokerProcess> {
    const more = args && { args: [...args, "-c", `${this.directory}/broker.conf`] };
    return this.broker = await BrokerProcess.start(this.directory, {
      configuration,
      through,
      ...more,
    });
  }

  /** The lines that give a listener its certificate. */
  server(name = "server"): string[] {
    const { certfile, keyfile } = this.authority.issueServer(name);
    return [`certfile ${certfile}`, `keyfile ${keyfile}`];
  }

  /** Publishes by `mosquitto_pub`; true: it was acknowledged. */
  async publishes(args: readonly string[], topic = "t"): Promise<boolean> {
    const common = ["-h", "localhost", "-p", String(this.broker!.port), "-q", "1", "-V", "5"];
    const command = new Deno.Command(PUB, {
      args: [...common, "-t", topic, "-m", "m", ...args],
      stdin: "null",
    });
    const { code, stderr } = await command.output();
    return code === 0 && !new TextDecoder().decode(stderr).includes("Not authorized");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker?.[Symbol.asyncDispose]();
    this.authority[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test({
  name: "certfile and keyfile turn TLS on; only who trusts the authority talks to it",
  ignore,
  async fn() {
    await using scene = new Scene();
    using stranger = new Authority("/O=Other/CN=Other Root");
    const broker = await scene.start([...scene.server(), "allow_anonymous true"]);
    assert.equal(await scene.publishes(["--cafile", scene.authority.cafile]), true);
    assert.equal(await scene.publishes(["--cafile", stranger.cafile]), false);
    await broker.line(/OpenSSL Error\[0\]: error:/);
    await broker.line(/The certificate in .*server\.crt expires in \d+ days/);
    assert.equal(await scene.publishes([]), false, "without TLS");
    broker.assertNoDefect();
  },
});

Deno.test({
  name: "require_certificate, use_identity_as_username and crlfile decide who comes in as whom",
  ignore,
  async fn() {
    await using scene = new Scene();
    const { authority } = scene;
    const lamp = authority.issue("lamp"), thief = authority.issue("thief");
    authority.revoke(thief);
    const crlfile = authority.crlfile();

    Deno.writeTextFileSync(`${scene.directory}/acl`, "pattern write %u/#\n", { mode: 0o600 });
    const broker = await scene.start([
      ...scene.server(),
      `cafile ${authority.cafile}`,
      `crlfile ${crlfile}`,
      "require_certificate true",
      "use_identity_as_username true",
      `acl_file ${scene.directory}/acl`,
    ]);
    const as = ({ certfile, keyfile }: typeof lamp) => [
      ...["--cafile", authority.cafile, "--cert", certfile, "--key", keyfile],
    ];
    assert.equal(await scene.publishes(as(lamp), "lamp/on"), true);
    assert.equal(await scene.publishes(as(lamp), "heater/on"), false);
    assert.equal(await scene.publishes(as(thief), "thief/on"), false);
    await broker.line(/Certificate refused: certificate revoked/);
    assert.equal(await scene.publishes(["--cafile", authority.cafile], "lamp/on"), false);
    await broker.line(/New client connected from .* u'lamp'\)/);
    broker.assertNoDefect();
  },
});

Deno.test({
  name: "psk_hint and psk_file let in who knows a key, under its identity",
  ignore,
  async fn() {
    await using scene = new Scene();
    const pskFile = `${scene.directory}/keys`;
    Deno.writeTextFileSync(pskFile, "sensor7:0123456789abcdef\n", { mode: 0o600 });
    const broker = await scene.start([
      "psk_hint lab",
      `psk_file ${pskFile}`,
      "use_identity_as_username true",
    ]);
    const psk = (identity: string, key: string) => ["--psk-identity", identity, "--psk", key];
    assert.equal(await scene.publishes(psk("sensor7", "0123456789abcdef")), true);
    assert.equal(await scene.publishes(psk("sensor7", "0123456789abcdee")), false);
    assert.equal(await scene.publishes(psk("sensor8", "0123456789abcdef")), false);
    await broker.line(/u'sensor7'\)/);

    const from = broker.lines.length;
    Deno.writeTextFileSync(pskFile, "sensor8:00ff\n", { mode: 0o600 });
    broker.signal("SIGHUP");
    await broker.line(/No option has changed/, from);
    assert.equal(await scene.publishes(psk("sensor7", "0123456789abcdef")), false);
    assert.equal(await scene.publishes(psk("sensor8", "00ff")), true);
    broker.assertNoDefect();
  },
});

Deno.test({
  name: "SIGHUP reads certificates anew; a broken one leaves the one before in force",
  ignore,
  async fn() {
    await using scene = new Scene();
    using other = new Authority("/O=Other/CN=Other Root");
    const broker = await scene.start([...scene.server(), "allow_anonymous true"]);
    const trusted = ["--cafile", scene.authority.cafile];
    assert.equal(await scene.publishes(trusted), true);

    const certfile = scene.authority.path("server.crt");
    const before = Deno.readTextFileSync(certfile);
    Deno.writeTextFileSync(certfile, "broken");
    broker.signal("SIGHUP");
    await broker.line(/Nothing is reloaded/);
    assert.equal(await scene.publishes(trusted), true);

    const theirs = other.issueServer();
    Deno.copyFileSync(theirs.certfile, certfile);
    Deno.copyFileSync(theirs.keyfile, scene.authority.path("server.key"));
    const from = broker.lines.length;
    broker.signal("SIGHUP");
    await broker.line(/No option has changed/, from);
    assert.equal(await scene.publishes(trusted), false);
    assert.equal(await scene.publishes(["--cafile", other.cafile]), true);
    assert.notEqual(before, Deno.readTextFileSync(certfile));
    broker.assertNoDefect();
  },
});

Deno.test({
  name: "a listener whose certificate cannot be used ends the start with 1 and OpenSSL's reason",
  ignore,
  async fn() {
    await using scene = new Scene();
    const { certfile } = scene.authority.issueServer();
    const { keyfile } = scene.authority.issue("other");
    const file = `${scene.directory}/broker.conf`;
    Deno.writeTextFileSync(file, `listener 18899\ncertfile ${certfile}\nkeyfile ${keyfile}\n`);
    const broker = scene.broker = BrokerProcess.spawn({ port: 0, args: ["-c", file] });
    assert.equal(await broker.exitStatus(), 1);
    assert.match(
      broker.lines.join("\n"),
      /^Error: Unable to load server key file "\S+"\. Check keyfile\.\nOpenSSL Error\[0\]: error:.*:key values mismatch/m,
    );
  },
});

Deno.test({
  name: "--tls-keylog writes secrets to a file of nobody else's",
  ignore,
  async fn() {
    await using scene = new Scene();
    const keys = `${scene.directory}/keys.log`;
    const configuration = [...scene.server(), "allow_anonymous true"];
    const broker = await scene.start(configuration, { args: ["--tls-keylog", keys] });
    assert.equal(await scene.publishes(["--cafile", scene.authority.cafile]), true);
    assert.match(Deno.readTextFileSync(keys), /^SERVER_TRAFFIC_SECRET_0 |^CLIENT_RANDOM /m);
    assert.equal(Deno.statSync(keys).mode! & 0o777, 0o600);
    await broker.line(/TLS secrets are written to/);
    assert.equal(await broker.end(), 0);

    Deno.chmodSync(keys, 0o644);
    const refused = scene.broker = BrokerProcess.spawn({
      port: 0,
      args: ["-c", `${scene.directory}/broker.conf`, "--tls-keylog", keys],
    });
    assert.equal(await refused.exitStatus(), 1);
    assert.match(refused.lines.join("\n"), /can be read or written by others/);
  },
});

const STRACE = "/usr/bin/strace";

Deno.test({
  name: "a TLS connection waits for no acknowledgement, whatever set_tcp_nodelay says",
  ignore: ignore || !isThere(STRACE),
  async fn() {
    await using scene = new Scene();
    const trace = `${scene.directory}/trace`;
    const broker = await scene.start([...scene.server(), "set_tcp_nodelay false"], {
      // -D: the broker, not strace, is the process that gets the signals.
      through: [STRACE, "-D", "-f", "-qq", "-e", "trace=setsockopt", "-o", trace],
    });
    assert.equal(await scene.publishes(["--cafile", scene.authority.cafile]), true);
    assert.equal(await broker.end(), 0);
    assert.match(Deno.readTextFileSync(trace), /TCP_NODELAY, \[1\]/);
  },
});
