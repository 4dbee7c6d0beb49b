import { placeText } from "../mistake.ts";
import type { Examined } from "./examination.ts";
import type { ListenerSection } from "./section.ts";

/** Listeners that get in each other's way, and settings that do nothing for want of another. */
export function examineListeners(examined: Examined): void {
  const { check, configuration, report } = examined;
  if (configuration.localOnly) return;
  const taken = new Map<string, ListenerSection>();
  for (const listener of check.listeners) {
    examineTls(listener, examined);
    const { port = 1883, address, unixPath, place } = listener;
    const end = unixPath ?? `${port} ${address ?? "*"}`;
    const [earlier, everywhere] = [taken.get(end), taken.get(`${port} *`)];
    if (earlier !== undefined) {
      const where = unixPath ?? `port ${port}${address === null ? "" : ` of ${address}`}`;
      const hint = `it stands at ${placeText(earlier.place)} already`;
      report("mistake", place, `Two listeners on ${where}.`, hint);
    } else if (unixPath === null && everywhere !== undefined) {
      const hint = `that at ${placeText(everywhere.place)} listens at all addresses`;
      report("warning", place, `Port ${port} may be taken by another listener.`, hint);
    }
    taken.set(end, listener);
  }
}

function examineTls(listener: ListenerSection, { configuration, report }: Examined): void {
  const { values, places } = listener;
  const has = (name: string) => values.has(name);
  const warn = (option: string, message: string) =>
    report("warning", places.get(option) ?? listener.place, message);
  const isProxied = values.get("enable_proxy_protocol") === 2;
  const demands = values.get("require_certificate") === true;
  if (demands && !isProxied && !has("cafile") && !has("capath")) {
    warn(
      "require_certificate",
      "No client can connect: 'require_certificate' needs 'cafile' or 'capath'.",
    );
  }
  for (const option of ["use_identity_as_username", "use_subject_as_username"]) {
    if (values.get(option) === true && !demands && !has("psk_hint")) {
      warn(option, `'${option}' has no effect without 'require_certificate true'.`);
    }
  }
  if (has("crlfile") && !demands) {
    warn("crlfile", "'crlfile' has no effect without 'require_certificate true'.");
  }
  const { pskFile } = configuration.listeners[listener.index];
  if (has("psk_hint") && pskFile === "" && configuration.plugins.length === 0) {
    warn("psk_hint", "No client can connect: 'psk_hint' needs 'psk_file'.");
  }
}
