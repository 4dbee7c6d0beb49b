import { connect } from "./packets.ts";
import { within } from "./broker_process.ts";

/** What `openssl s_client` saw of a broker. */
export interface Seen {
  /** Such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; undefined: nothing was agreed on. */
  readonly agreed: string | undefined;
  /** Code of the CONNACK; undefined: none came. */
  readonly connack: number | undefined;
  /** What the broker's alert says, without "alert"; undefined: none came. */
  readonly alert: string | undefined;
  readonly output: string;
}

/** Sends a CONNECT by `openssl s_client` and leaves when it is answered, or refused. */
export async function sClient(
  port: number,
  clientId: string,
  args: readonly string[],
): Promise<Seen> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-nocommands", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // It may have ended.
  writer.write(connect(4, { clientId })).catch(() => {});
  let output = "", connack: number | undefined;
  const read = async (part: ReadableStream<Uint8Array>) => {
    for await (const chunk of part) {
      output += new TextDecoder("latin1").decode(chunk);
      if (connack !== undefined) continue;
      // deno-lint-ignore no-control-regex
      connack = /\x20\x02\x00(.)/s.exec(output)?.[1].charCodeAt(0);
      if (connack !== undefined) writer.close().catch(() => {});
    }
  };
  await within(
    Promise.all([read(child.stdout), read(child.stderr), child.status]),
    () => `s_client does not end:\n${output}`,
  );
  await writer.close().catch(() => {});
  const [, version, cipher] = /^\s+Protocol\s*: (\S+)\n\s+Cipher\s*: (\S+)/m.exec(output) ??
    /^New, (TLSv1\.3), Cipher is (\S+)/m.exec(output) ?? [];
  return {
    agreed: cipher === undefined || /^(0000|\(NONE\))$/.test(cipher)
      ? undefined
      : `${version} ${cipher}`,
    connack,
    alert: /alert ([a-z ]+):/.exec(output)?.[1],
    output,
  };
}
