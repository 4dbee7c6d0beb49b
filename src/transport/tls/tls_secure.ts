import type { Peer } from "../../session/ports.ts";
import { HandshakeError, type Secure } from "../handshake.ts";
import { hostOf } from "../host_of.ts";
import { isNetworkError } from "../stream_link.ts";
import type { TlsContext } from "./tls_engine.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsInfo } from "./tls_options.ts";

/** What a listener tells of its handshakes. */
export interface TlsSecureOptions {
  /** The context for the next connection: a reload replaces it. */
  context(): TlsContext;
  readonly timeoutMs: number;
  /** Takes a line of the log. */
  log(type: "error" | "notice", text: string): void;
}

/** The TLS handshake of a listener. Who fails it, and why, stands in the log as Mosquitto writes it. */
export function tlsSecure({ context, timeoutMs, log }: TlsSecureOptions): Secure {
  return async (raw, remoteAddress) => {
    const stream = context().secure(raw);
    stream.onFailure = (error) => logFailure(error, remoteAddress);
    try {
      return { stream, info: peerOf(await stream.handshake(timeoutMs)) };
    } catch (error) {
      if (error instanceof TlsError) {
        logFailure(error, remoteAddress);
        throw new HandshakeError("");
      }
      if (isNetworkError(error)) throw new HandshakeError("");
      throw error;
    }
  };

  function logFailure(error: TlsError, remoteAddress: string) {
    for (const line of error.logLines) log("error", line);
    const { details, message } = error;
    const reason = details.length > 0 ? `${details[0]}.` : message;
    log("notice", `Client connection from ${hostOf(remoteAddress)} failed: ${reason}`);
  }
}

/** What of a handshake the core may know. */
function peerOf({ protocol, cipher, pskIdentity, certificate }: TlsInfo): Peer {
  return {
    tlsVersion: protocol,
    cipher,
    ...pskIdentity === null ? {} : { pskIdentity },
    ...certificate === null ? {} : { certificateSubject: certificate.subject },
    ...certificate?.commonName ? { certificateName: certificate.commonName } : {},
  };
}
