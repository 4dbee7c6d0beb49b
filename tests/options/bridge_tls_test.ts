import { Authority, type Certificate } from "../support/certificates.ts";
import { BrokerProcess, eventually, freePort, withDirectory } from "../support/broker_process.ts";

/** `openssl s_server` in a broker's place: what it prints tells how it was spoken to. */
class TlsServer implements AsyncDisposable {
  readonly port = freePort();
  output = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor({ certfile, keyfile }: Certificate, ...args: readonly string[]) {
    this.#child = new Deno.Command("openssl", {
      args: ["s_server", "-accept", String(this.port), "-cert", certfile, "-key", keyfile, ...args],
      // It ends with its input.
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) this.output += decoder.decode(bytes, { stream: true });
    };
    this.#reading = Promise.all([read(this.#child.stdout), read(this.#child.stderr)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.stdin.abort().catch(() => {});
    await this.#reading;
    await this.#child.status;
  }
}

/** What a bridge with these lines says to this server: a pattern of its output, or of the log. */
interface Case {
  readonly title: string;
  readonly server: readonly string[];
  readonly lines: readonly string[];
  readonly says: RegExp;
  /** The same server without the lines. */
  readonly without: RegExp;
}

Deno.test("options of bridges, as a TLS server sees them", async (t) => {
  using authority = new Authority();
  const server = authority.issueServer();
  const own = authority.issue("bridge");
  const hashed = authority.path("hashed");
  Deno.mkdirSync(hashed);
  Deno.copyFileSync(authority.cafile, `${hashed}/ca.crt`);
  new Deno.Command("openssl", { args: ["rehash", hashed] }).outputSync();
  const trusting = `bridge_cafile ${authority.cafile}`;
  const handshake = /CIPHER is /;
  const cases: Case[] = [
    {
      title: "bridge_capath: its authorities are trusted",
      server: [],
      lines: [`bridge_capath ${hashed}`],
      says: handshake,
      without: /wrong version number|http request|unexpected|ERROR/i,
    },
    {
      title: "bridge_tls_use_os_certs: the system's authorities are trusted",
      server: [],
      lines: ["bridge_tls_use_os_certs true"],
      says: handshake,
      without: /wrong version number|http request|unexpected|ERROR/i,
    },
    {
      title: "bridge_certfile and bridge_keyfile: shown when asked for",
      server: ["-Verify", "2", "-CAfile", authority.cafile],
      lines: [trusting, `bridge_certfile ${own.certfile}`, `bridge_keyfile ${own.keyfile}`],
      says: /-----BEGIN CERTIFICATE-----[\s\S]*CIPHER is /,
      without: /peer did not return a certificate/,
    },
    {
      title: "bridge_alpn: the protocol that is named",
      server: ["-alpn", "mqtt"],
      lines: [trusting, "bridge_alpn mqtt"],
      says: /ALPN protocols selected: mqtt/,
      without: handshake,
    },
    {
      title: "bridge_ciphers: of TLS 1.2",
      server: ["-tls1_2"],
      lines: [trusting, "bridge_ciphers ECDHE-ECDSA-AES128-SHA256"],
      says: /CIPHER is ECDHE-ECDSA-AES128-SHA256/,
      without: /CIPHER is (?!ECDHE-ECDSA-AES128-SHA256)/,
    },
    {
      title: "bridge_ciphers_tls1.3: of TLS 1.3",
      server: ["-tls1_3"],
      lines: [trusting, "bridge_ciphers_tls1.3 TLS_CHACHA20_POLY1305_SHA256"],
      says: /CIPHER is TLS_CHACHA20_POLY1305_SHA256/,
      without: /CIPHER is (?!TLS_CHACHA20)/,
    },
    {
      title: "bridge_tls_version: older ones are not spoken",
      server: ["-tls1_2"],
      lines: [trusting, "bridge_tls_version tlsv1.3"],
      says: /unsupported protocol|wrong version|ERROR/i,
      without: handshake,
    },
    {
      title: "bridge_require_ocsp: without a stapled answer there is no connection",
      server: [],
      lines: [trusting, "bridge_require_ocsp true"],
      says: /no OCSP answer was stapled/,
      without: /CIPHER is [\s\S]*MQTT/,
    },
  ];
  await withDirectory(async (directory) => {
    await using stack = new AsyncDisposableStack();
    const pairs = cases.map(({ server: args }) =>
      [0, 1].map(() => stack.use(new TlsServer(server, ...args)))
    );
    await eventually(
      () => pairs.flat().every(({ output }) => output.includes("ACCEPT")),
      () => `not all servers listen: ${pairs.flat().map(({ output }) => output)}`,
    );
    const bridges = cases.flatMap(({ lines }, index) => {
      const plain = lines.filter((line) => line === trusting);
      return [lines, plain].flatMap((options, which) => [
        `connection b${index}${which}`,
        `address localhost:${pairs[index][which].port}`,
        "topic a out",
        "bridge_protocol_version mqttv311",
        ...options,
      ]);
    });
    await using broker = await BrokerProcess.start(directory, {
      configuration: bridges,
      env: { SSL_CERT_FILE: authority.cafile },
    });
    for (const [index, { title, says, without }] of cases.entries()) {
      await t.step(title, async () => {
        for (const [which, pattern] of [says, without].entries()) {
          const text = () => {
            const log = broker.lines.filter((line) => line.includes(` b${index}${which} `));
            return [pairs[index][which].output, ...log].join("\n");
          };
          await eventually(() => pattern.test(text()), () => `no ${pattern} in\n${text()}`);
        }
      });
    }
  });
});
