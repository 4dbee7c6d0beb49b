import { FileChanges, type FileChangesOptions } from "./file_changes.ts";
import { TlsContextHolder } from "./tls_context_holder.ts";
import type { TlsEngine } from "./tls_engine.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsServerOptions } from "./tls_options.ts";

/** A certificate that expires sooner is warned of. */
export const EXPIRY_WARNING_DAYS = 30;

type Log = (type: "error" | "warning" | "notice" | "information", text: string) => void;

/**
 * Holds the context of a listener.
 *
 * @throws {TlsError} for files that are wrong, and for options that the engine cannot honour.
 */
export function holdServerContext(
  engine: TlsEngine,
  options: TlsServerOptions,
): TlsContextHolder {
  const names = engine.unsupported(options);
  if (names.length > 0) throw new TlsError(`Not by ${engine.name}: ${names.join(", ")}.`);
  const { certfile, keyfile, cafile, capath, crlfile, dhparamfile } = options;
  const paths = [certfile, keyfile, cafile, capath, crlfile, dhparamfile]
    .filter((path) => path !== undefined);
  return new TlsContextHolder({ make: () => engine.serverContext(options), certfile, paths });
}

/** Reloads a holder whenever its files change. A file that is broken is logged and changes nothing. */
export function reloadOnChange(
  holder: TlsContextHolder,
  log: Log,
  watching: Pick<FileChangesOptions, "intervalMs" | "every"> = {},
): FileChanges {
  const onChange = () => {
    try {
      holder.reload();
      log("notice", `TLS files have changed: ${holder.paths.join(", ")} are read anew.`);
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      log("error", `Error: ${error.message}`);
      for (const line of error.logLines) log("error", line);
      log("warning", "Warning: TLS goes on with the files as they were before.");
    }
  };
  return new FileChanges({ paths: holder.paths, onChange, ...watching });
}

/** The line of the log on how long a certificate lasts; none without a certificate. */
export function logExpiry(holder: TlsContextHolder, nowMs: number, log: Log): void {
  const days = holder.daysLeft(nowMs);
  if (days === null) return;
  const file = holder.paths[0];
  if (days < 0) log("warning", `Warning: The certificate in ${file} has expired.`);
  else if (days < EXPIRY_WARNING_DAYS) {
    log("warning", `Warning: The certificate in ${file} expires in ${days} days.`);
  } else log("information", `The certificate in ${file} expires in ${days} days.`);
}
