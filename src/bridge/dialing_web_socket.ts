import { RuntimeWebSocketStream } from "../transport/runtime_web_socket_stream.ts";
import type { ByteStream } from "../transport/stream_link.ts";
import { DialError } from "./dialing.ts";
import type { BridgeTls } from "./settings.ts";

/** Opens a WebSocket with the sub-protocol of MQTT, by the runtime. @throws {DialError} */
export async function dialWebSocket(
  url: string,
  tls: BridgeTls | null,
  signal: AbortSignal,
): Promise<ByteStream> {
  const client = tls === null ? undefined : clientFor(tls);
  const socket = new WebSocket(url, { protocols: ["mqtt"], client });
  const stream = new RuntimeWebSocketStream(socket);
  try {
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => reject(new DialError("given up"));
      signal.addEventListener("abort", giveUp);
      const end = (act: () => void) => () => {
        signal.removeEventListener("abort", giveUp);
        act();
      };
      socket.addEventListener("open", end(resolve));
      socket.addEventListener("error", (event) => {
        const text = event instanceof ErrorEvent ? event.message : "no WebSocket";
        end(() => reject(new DialError(text)))();
      });
    });
  } catch (error) {
    stream.close();
    client?.close();
    throw error;
  }
  socket.addEventListener("close", () => client?.close());
  return stream;
}

/** What the runtime's TLS can be told. @throws {DialError} for what it cannot */
function clientFor(tls: BridgeTls): Deno.HttpClient {
  const refused = tls.psk !== null
    ? "bridge_psk"
    : tls.insecure
    ? "bridge_insecure"
    : tls.requireOcsp
    ? "bridge_require_ocsp"
    : tls.caPath !== ""
    ? "bridge_capath"
    : tls.ciphers !== "" || tls.ciphersTls13 !== ""
    ? "bridge_ciphers"
    : tls.alpn !== ""
    ? "bridge_alpn"
    : null;
  if (refused !== null) throw new DialError(`${refused} cannot be had with a wss:// address`);
  const caCerts = tls.caFile === "" ? [] : [Deno.readTextFileSync(tls.caFile)];
  const certificate = tls.certFile === "" ? {} : {
    cert: Deno.readTextFileSync(tls.certFile),
    key: Deno.readTextFileSync(tls.keyFile),
  };
  return Deno.createHttpClient({ caCerts, ...certificate });
}
