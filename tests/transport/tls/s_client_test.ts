import assert from "node:assert/strict";
import type { TlsInfo, TlsServerOptions } from "../../../src/transport/tls/tls_options.ts";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { PATIENCE_MS, within } from "../../support/broker_process.ts";
import { authority, cafile, client, ownPsk, psk, server } from "./lab.ts";

/** An echo behind TLS on a port of its own; `infos` and `errors` are what its handshakes came to. */
class Echo implements AsyncDisposable {
  readonly infos: TlsInfo[] = [];
  readonly errors: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #context;
  readonly #serving = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(options: TlsServerOptions) {
    this.#context = opensslServerContext(options);
    this.#accepting = (async () => {
      for await (const raw of this.#listener) {
        const served: Promise<void> = this.#serve(raw).finally(() => this.#serving.delete(served));
        this.#serving.add(served);
      }
    })();
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async #serve(raw: Deno.TcpConn) {
    const stream = this.#context.secure(raw);
    try {
      this.infos.push(await stream.handshake(PATIENCE_MS));
      const buffer = new Uint8Array(1000);
      for (let count; (count = await stream.read(buffer)) !== null;) {
        await stream.write(buffer.subarray(0, count));
      }
    } catch (error) {
      this.errors.push(String(error));
    }
    stream.close();
  }

  async [Symbol.asyncDispose]() {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#serving);
    this.#context.free();
  }
}

/** What `openssl s_client` says; it sends a word and leaves when the echo has come. */
async function sClient(address: string, ...args: string[]): Promise<string> {
  // The shell makes bytes of escapes, which an argument of ours could not hold.
  const words = ["openssl", "s_client", "-connect", address, "-nocommands", ...args]
    .map((word) => `"$(printf '%b' '${word}')"`);
  const child = new Deno.Command("sh", {
    args: ["-c", `exec ${words.join(" ")}`],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello there\n")).catch(() => {});
  let output = "";
  const reading = async (part: ReadableStream<Uint8Array>) => {
    for await (const chunk of part) {
      output += new TextDecoder().decode(chunk);
      if (output.includes("\nhello there\n")) await writer.close().catch(() => {});
    }
  };
  const ended = Promise.all([reading(child.stdout), reading(child.stderr), child.status]);
  await within(ended, () => `s_client does not end:\n${output}`);
  await writer.close().catch(() => {});
  return output;
}

const rsa = authority.issueServer("rsa", { key: "rsa" });
const revoked = authority.issue("revoked");
authority.revoke(revoked);
const crlfile = authority.crlfile();

Deno.test("openssl agrees on versions and ciphers with a listener", async () => {
  await using echo = new Echo({ ...rsa, minimumVersion: "tlsv1.1", ciphers: "ALL:@SECLEVEL=0" });
  const rows = [
    ["-tls1_1 -cipher ALL:@SECLEVEL=0", "TLSv1.1", "ECDHE-RSA-AES256-SHA"],
    ["-tls1_2", "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"],
    ["-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2", "ECDHE-RSA-CHACHA20-POLY1305"],
    ["-tls1_2 -cipher AES256-SHA256", "TLSv1.2", "AES256-SHA256"],
    ["-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384", "TLSv1.2", "DHE-RSA-AES256-GCM-SHA384"],
    ["-tls1_3", "TLSv1.3", "TLS_AES_256_GCM_SHA384"],
    ["-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLSv1.3", "TLS_AES_128_GCM_SHA256"],
    [
      "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
      "TLSv1.3",
      "TLS_CHACHA20_POLY1305_SHA256",
    ],
  ];
  for (const [args, protocol, cipher] of rows) {
    const output = await sClient(echo.address, ...args.split(" "), "-CAfile", cafile);
    assert.match(output, /\nhello there\n/, args);
    assert.match(output, /Verify return code: 0 \(ok\)/, args);
    const info = echo.infos.pop()!;
    assert.deepEqual([info.protocol, info.cipher], [protocol, cipher]);
  }
  assert.deepEqual(echo.errors, []);
});

Deno.test("openssl is refused by the certificate it shows, and sees the alert", async () => {
  await using echo = new Echo({ ...server, cafile, crlfile, requireCertificate: true });
  const expired = authority.issueExpired();
  const rows: [typeof client | null, RegExp][] = [
    [client, /\nhello there\n/],
    [null, /alert (certificate required|handshake failure)/],
    [revoked, /alert certificate revoked/],
    [expired, /alert certificate expired/],
  ];
  for (const version of ["-tls1_2", "-tls1_3"]) {
    for (const [certificate, expected] of rows) {
      const shown = certificate === null
        ? []
        : ["-cert", certificate.certfile, "-key", certificate.keyfile];
      assert.match(await sClient(echo.address, version, ...shown), expected);
    }
  }
  assert.equal(echo.infos.length, 2);
  assert.equal(echo.errors.length, 6);
});

Deno.test("openssl uses a pre-shared key with a listener", async () => {
  await using echo = new Echo({ psk, pskHint: "hint" });
  const good = ["-psk_identity", "sensor", "-psk", "0102030405060708"];
  for (const version of ["-tls1_2", "-tls1_3"]) {
    assert.match(await sClient(echo.address, version, ...good), /\nhello there\n/);
    assert.equal(echo.infos.pop()!.pskIdentity, "sensor");
    const wrong = ["-psk_identity", "sensor", "-psk", "ff"];
    assert.match(await sClient(echo.address, version, ...wrong), /alert/);
    const unknown = ["-psk_identity", "nobody", "-psk", "0102030405060708"];
    assert.match(await sClient(echo.address, version, ...unknown), /alert/);
  }
});

Deno.test("names that are no text are nobody's defect", async () => {
  await using echo = new Echo(server);
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const output = await sClient(echo.address, version, "-servername", "a\\0377b");
    assert.match(output, /\nhello there\n/);
    assert.equal(echo.infos.pop()!.serverName, null);
  }
  const asked: string[] = [];
  const lookUp = (identity: string) => {
    asked.push(identity);
    return psk("sensor");
  };
  await using keys = new Echo({ psk: lookUp });
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const args = ["-psk_identity", "a\\0377b", "-psk", "0102030405060708"];
    assert.match(await sClient(keys.address, version, ...args), /alert/);
  }
  assert.deepEqual([asked, echo.errors, keys.errors.length], [[], [], 2]);
});

Deno.test("sessions are resumed only where nothing of the client is checked", async () => {
  const session = authority.path("session.pem");
  const rows: [string, TlsServerOptions, string[], boolean][] = [
    ["plain", server, [], true],
    [
      "client certificates",
      { ...server, cafile, requireCertificate: true },
      ["-cert", client.certfile, "-key", client.keyfile],
      false,
    ],
    ["keys", { psk }, ["-psk_identity", "sensor", "-psk", "0102030405060708"], false],
  ];
  for (const [which, options, args, resumes] of rows) {
    await using echo = new Echo(options);
    for (const version of ["-tls1_2", "-tls1_3"]) {
      Deno.writeTextFileSync(session, "");
      await sClient(echo.address, version, ...args, "-sess_out", session);
      const hasTicket = Deno.statSync(session).size > 0;
      // TLS 1.2 has sessions without tickets, which the server is to have forgotten.
      if (!hasTicket) {
        assert.equal(resumes, false, which);
        continue;
      }
      const output = await sClient(echo.address, version, ...args, "-sess_in", session);
      assert.match(output, /\nhello there\n/, which);
      // What TLS 1.3 calls a new session under a pre-shared key is printed as reused as well.
      const isResumed = /^Reused, /m.test(output) && !(which === "keys" && version === "-tls1_3");
      assert.equal(isResumed, resumes, `${which} ${version}`);
    }
  }
});

Deno.test("keys may be updated any number of times, and each time is answered", async () => {
  await using echo = new Echo(server);
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", echo.address, "-tls1_3"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  let output = "", wake = () => {};
  const reading = [child.stdout, child.stderr].map(async (part) => {
    for await (const chunk of part) {
      output += new TextDecoder().decode(chunk);
      wake();
    }
  });
  const seen = async (pattern: RegExp, times: number) => {
    while ((output.match(pattern)?.length ?? 0) < times) {
      const more = new Promise<void>((resolve) => wake = resolve);
      await within(more, () => `not ${times} times ${pattern}:\n${output}`);
    }
  };
  const type = (text: string) => writer.write(new TextEncoder().encode(text));
  await seen(/^---$/gm, 3);
  for (let updates = 1; updates <= 40; updates++) {
    await type("K\n");
    await seen(/KEYUPDATE/g, updates);
  }
  await type("hello there\n");
  await seen(/^hello there$/gm, 1);
  await type("Q\n");
  await Promise.all([...reading, child.status]);
  await writer.close().catch(() => {});
});

Deno.test("openssl as a server is met by certificate and by key", async () => {
  const rows: [string[], Parameters<typeof opensslClientContext>[0]][] = [
    [["-cert", server.certfile, "-key", server.keyfile, "-tls1_2"], { cafile }],
    [["-cert", server.certfile, "-key", server.keyfile, "-tls1_3"], { cafile }],
    [["-nocert", "-psk_identity", "sensor", "-psk", "0102030405060708", "-tls1_2"], {
      psk: ownPsk,
    }],
    [["-nocert", "-psk_identity", "sensor", "-psk", "0102030405060708", "-tls1_3"], {
      psk: ownPsk,
    }],
  ];
  for (const [args, options] of rows) {
    const child = new Deno.Command("openssl", {
      args: ["s_server", "-accept", "127.0.0.1:0", "-rev", ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    let output = "";
    while (!/^ACCEPT .*:\d+$/m.test(output)) {
      const { value } = await within(reader.read(), () => "s_server does not start");
      output += new TextDecoder().decode(value);
    }
    const port = Number(/^ACCEPT .*:(\d+)$/m.exec(output)![1]);
    const context = opensslClientContext(options);
    const stream = context.secure(await Deno.connect({ hostname: "127.0.0.1", port }), "localhost");
    const { protocol } = await stream.handshake(PATIENCE_MS);
    assert.equal(protocol, args.includes("-tls1_2") ? "TLSv1.2" : "TLSv1.3");
    await stream.write(new TextEncoder().encode("drawer\n"));
    const buffer = new Uint8Array(100);
    const count = await stream.read(buffer);
    assert.equal(new TextDecoder().decode(buffer.subarray(0, count!)), "reward\n");
    stream.close();
    context.free();
    await reader.cancel();
    child.kill();
    await child.status;
  }
});
