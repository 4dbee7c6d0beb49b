import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import { errorText } from "../../error_text.ts";
import type { ByteStream } from "../stream_link.ts";
import { refuseEncryptedKey } from "./context_settings.ts";
import { NodeTlsStream } from "./node_tls_stream.ts";
import { StreamDuplex } from "./stream_duplex.ts";
import type { TlsContext, TlsEngine } from "./tls_engine.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsClientOptions, TlsOptions, TlsServerOptions } from "./tls_options.ts";

/** Options by their names in the configuration; what the runtime's TLS cannot do, or does not. */
const UNSUPPORTED: readonly [name: string, option: keyof (TlsServerOptions & TlsClientOptions)][] =
  [
    // Its sockets take certificates of clients and do not say whether they are good.
    ["require_certificate", "requireCertificate"],
    ["crlfile", "crlfile"],
    ["capath", "capath"],
    ["ciphers", "ciphers"],
    ["ciphers_tls1.3", "ciphersTls13"],
    ["dhparamfile", "dhparamfile"],
    ["disable_client_cert_date_checks", "disableClientCertDateChecks"],
    ["psk_hint", "psk"],
    ["tls-keylog", "keylog"],
    ["bridge_tls_use_os_certs", "osCerts"],
    ["bridge_require_ocsp", "requireOcsp"],
  ];

/**
 * The TLS of the runtime, for machines without OpenSSL. It does less, and some options it takes and
 * then ignores: a broker must not start with one of `unsupported`.
 */
export const nodeTlsEngine: TlsEngine = {
  name: "the runtime's own TLS",

  unsupported(options) {
    const given = options as TlsServerOptions & TlsClientOptions;
    const names = UNSUPPORTED.filter(([, option]) => given[option]).map(([name]) => name);
    const isOld = given.minimumVersion === "tlsv1.1" || given.maximumVersion === "tlsv1.1";
    return isOld ? [...names, "tls_version tlsv1.1"] : names;
  },

  serverContext(options) {
    if (options.certfile === undefined || options.keyfile === undefined) {
      throw new TlsError("Both certfile and keyfile must be provided.");
    }
    const secureContext = contextOf("server", options);
    const { alpnProtocols } = options;
    return contextAround((raw) => {
      const socket = new tls.TLSSocket(new StreamDuplex(raw) as never, {
        isServer: true,
        secureContext,
        ALPNProtocols: alpnProtocols as string[] | undefined,
      } as tls.TLSSocketOptions);
      return new NodeTlsStream(socket, "secure");
    });
  },

  clientContext(options) {
    if (options.cafile === undefined) throw new TlsError("TLS needs bridge_cafile.");
    const secureContext = contextOf("client", options);
    const { alpn, insecure } = options;
    return contextAround((raw, hostName = "") => {
      const socket = tls.connect({
        socket: new StreamDuplex(raw),
        secureContext,
        servername: hostName,
        ...alpn === undefined ? {} : { ALPNProtocols: [alpn] },
        ...insecure ? { checkServerIdentity: () => undefined } : {},
      });
      return new NodeTlsStream(socket, "secureConnect");
    });
  },
};

function contextAround(
  secure: (raw: ByteStream, hostName?: string) => NodeTlsStream,
): TlsContext {
  // Collected as any other object.
  return { warnings: [], secure, free: () => {} };
}

/** Checks what the runtime only finds out when a client comes, and then tells nobody. */
function contextOf(side: "server" | "client", options: TlsOptions): tls.SecureContext {
  const refused = nodeTlsEngine.unsupported(options);
  if (refused.length > 0) throw new TlsError(`Not without OpenSSL: ${refused.join(", ")}.`);
  const { certfile, keyfile, cafile, minimumVersion, maximumVersion } = options;
  const badCertificate = `Unable to load ${side} certificate "${certfile}". Check certfile.`;
  const cert = read(certfile, badCertificate);
  const leaf = checked(badCertificate, () => cert && new X509Certificate(cert));
  if (keyfile !== undefined) refuseEncryptedKey(side, keyfile);
  const badKey = `Unable to load ${side} key file "${keyfile}". Check keyfile.`;
  const key = read(keyfile, badKey);
  const privateKey = checked(badKey, () => key && createPrivateKey(key));
  if (leaf && privateKey && !leaf.checkPrivateKey(privateKey)) {
    const who = side === "server" ? "Server" : "Client";
    throw new TlsError(`${who} certificate/key are inconsistent.`);
  }
  const badAuthority = `Unable to load CA certificates. Check cafile "${cafile}".`;
  const ca = read(cafile, badAuthority);
  checked(badAuthority, () => ca && new X509Certificate(ca));
  return checked("Unable to create TLS context.", () =>
    tls.createSecureContext({
      cert,
      key,
      ca,
      minVersion: nodeVersion(minimumVersion ?? "tlsv1.2"),
      ...maximumVersion === undefined ? {} : { maxVersion: nodeVersion(maximumVersion) },
    }));
}

function read(path: string | undefined, message: string): Buffer | undefined {
  return path === undefined
    ? undefined
    : checked(message, () => Buffer.from(Deno.readFileSync(path)));
}

function checked<T>(message: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new TlsError(message, [errorText(error)]);
  }
}

function nodeVersion(version: string): tls.SecureVersion {
  return version === "tlsv1.3" ? "TLSv1.3" : "TLSv1.2";
}
