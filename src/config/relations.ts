import type { Check } from "./check.ts";
import { isLoopback } from "./loopback.ts";
import type { Endpoint } from "./option_row.ts";
import type { BridgeSection, ListenerSection } from "./section.ts";

/** Adds the mistakes that only options together show, in Mosquitto's words where it has some. */
export function checkRelations(check: Check): void {
  checkAdmin(check);
  for (const listener of check.listeners) checkListener(listener, check);
  for (const bridge of check.bridges) checkBridge(bridge, check);
  checkLocalIds(check);
}

function checkAdmin(check: Check): void {
  const endpoint = check.global.values.get("admin_listener") as Endpoint | undefined;
  const place = check.global.places.get("admin_listener");
  if (!endpoint || place === undefined || isLoopback(endpoint.address)) return;
  if (check.global.values.has("admin_token")) return;
  check.mistake(
    place,
    `The 'admin_listener' option needs 'admin_token' at the address ${endpoint.address}.`,
    "without a token it can listen on 127.0.0.1 or ::1 only",
  );
}

function checkListener(listener: ListenerSection, check: Check): void {
  const { values, places } = listener;
  const has = (name: string) => values.has(name);
  const refuse = (name: string, message: string) =>
    check.mistake(places.get(name) ?? listener.place, message);
  if (has("certfile") !== has("keyfile")) {
    refuse(
      has("certfile") ? "certfile" : "keyfile",
      "Both certfile and keyfile must be provided to enable a TLS listener.",
    );
  }
  for (const name of ["cafile", "capath"]) {
    if (has(name) && !has("certfile")) {
      refuse(name, `${name} specified without certfile and keyfile.`);
    }
  }
  // Here only with per_listener_settings: a psk_file for all may stand beside certificates.
  const hasPsk = has("psk_hint") || has("psk_file");
  if (hasPsk && (has("certfile") || has("cafile"))) {
    refuse(
      has("psk_hint") ? "psk_hint" : "psk_file",
      "Cannot use both certificate and psk encryption in a single listener.",
    );
  }
  if (values.get("enable_proxy_protocol") !== 2) return;
  if (values.get("use_subject_as_username") === true) {
    refuse(
      "use_subject_as_username",
      "use_subject_as_username cannot be used with `enable_proxy_protocol 2`.",
    );
  }
  if (has("certfile") || has("keyfile")) {
    refuse(
      has("certfile") ? "certfile" : "keyfile",
      "certfile and keyfile cannot be used with `enable_proxy_protocol 2`.",
    );
  }
}

function checkBridge(bridge: BridgeSection, check: Check): void {
  const { values, places, place } = bridge;
  const has = (name: string) => values.has(name);
  const refuse = (name: string, message: string) =>
    check.mistake(places.get(name) ?? place, message);
  const invalid = "Invalid bridge configuration:";
  if (!has("address")) refuse("connection", `${invalid} no remote addresses defined.`);
  if (!has("topic")) refuse("connection", `${invalid} no topics defined.`);
  if (has("bridge_psk") && !has("bridge_identity")) {
    refuse("bridge_psk", `${invalid} missing bridge_identity.`);
  }
  if (has("bridge_identity") && !has("bridge_psk")) {
    refuse("bridge_identity", `${invalid} missing bridge_psk.`);
  }
  const psk = ["bridge_psk", "bridge_identity"].find(has);
  const certificate = ["bridge_cafile", "bridge_capath", "bridge_certfile", "bridge_keyfile"]
    .find(has);
  if (psk !== undefined && certificate !== undefined) {
    refuse(
      certificate,
      `'${certificate}': Cannot use both certificate and psk encryption in a single bridge.`,
    );
  }
}

/** Two bridges with one local Client Identifier would take over each other's session. */
function checkLocalIds(check: Check): void {
  const ids = new Set<string>();
  for (const { name, values, places, place } of check.bridges) {
    // Whatever the host is called, it is the same for all.
    const remote = values.get("remote_clientid") ?? `\0.${name}`;
    const id = String(values.get("local_clientid") ?? `local.${remote}`);
    if (ids.has(id)) {
      check.mistake(
        places.get("local_clientid") ?? places.get("remote_clientid") ?? place,
        `Bridge local_clientid '${id}' is not unique. Try changing or setting the local_clientid value for one of the bridges.`,
      );
    }
    ids.add(id);
  }
}
