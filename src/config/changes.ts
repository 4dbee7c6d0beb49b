import type { Place } from "../mistake.ts";
import type { Examined } from "./examination.ts";

/** What a file of Mosquitto 1.x meant and what it means now. */
interface Change {
  /** Where it shows in this configuration, if it does. */
  readonly place: (examined: Examined) => Place | undefined;
  readonly text: string;
}

/** Only told where a file shows by its options that it was written for 1.x. */
const CHANGES: readonly Change[] = [
  {
    place: unset("max_queued_messages"),
    text: "'max_queued_messages' is 1000 unless it is set; before Mosquitto 2.0 it was 100.",
  },
  {
    place: unset("max_packet_size"),
    text:
      "'max_packet_size' is 2000000 bytes unless it is set; before Mosquitto 2.1 there was no limit.",
  },
  {
    place: unsetInBridge("restart_timeout"),
    text:
      "'restart_timeout' is 5 to 30 seconds by chance unless it is set; before Mosquitto 1.6 it was 30.",
  },
  {
    place: unsetInBridge("bridge_protocol_version"),
    text: "A bridge speaks MQTT 3.1.1 unless told otherwise; before Mosquitto 1.5 it spoke 3.1.",
  },
];

/** Told of any file. */
const MEANINGS: readonly Change[] = [
  {
    place: ({ configuration, placeOf, check }) => {
      const { localOnly, listeners, origins } = configuration;
      const isSaid = check.global.places.has("allow_anonymous") ||
        listeners.some((_, index) =>
          origins.get(`listener[${index}].allow_anonymous`) !== "default"
        );
      const hasUsers = configuration.plugins.length > 0 ||
        listeners.some(({ passwordFile, useIdentityAsUsername, useSubjectAsUsername, pskHint }) =>
          passwordFile !== "" || useIdentityAsUsername || useSubjectAsUsername || pskHint !== ""
        );
      return localOnly || isSaid || hasUsers ? undefined : placeOf("allow_anonymous");
    },
    text:
      "No client can connect: 'allow_anonymous' is false unless it is set, since Mosquitto 2.0, and no users are named.",
  },
  {
    place: ({ check, placeOf }) =>
      check.global.values.has("acl_file") && !check.global.values.has("check_retain_source")
        ? placeOf("acl_file")
        : undefined,
    text:
      "'check_retain_source' is off unless it is set, though Mosquitto's manual says that it is on: retained messages are delivered even if their sender may no longer write.",
  },
  {
    place: ({ check }) => check.bridges.find(({ values }) => !values.has("remote_clientid"))?.place,
    text:
      "A bridge without 'remote_clientid' connects as HOST.NAME; Mosquitto's manual says NAME.HOST.",
  },
  {
    place: ({ check }) =>
      check.listeners.find(({ values }) => values.has("tls_version"))?.places.get("tls_version"),
    text: "'tls_version' is the lowest version taken; before Mosquitto 2.0 it was the only one.",
  },
];

/** Tells what changed since Mosquitto 1.x and 2.0, where this configuration shows it. */
export function changeNotices(examined: Examined): void {
  const { check, report } = examined;
  for (const { name, row, place } of check.olderNames) {
    const now = row.name.replace("*", name.replace(/^[a-z]+_opt_/, ""));
    report("notice", place, `'${name}' is an older name of '${now}'.`);
  }
  const told = isOld(examined) ? [...MEANINGS, ...CHANGES] : MEANINGS;
  for (const { place: placeIn, text } of told) {
    const place = placeIn(examined);
    if (place === undefined) continue;
    report(text.startsWith("No client") ? "warning" : "notice", place, text);
  }
}

/** Whether a file uses what only old versions had or told to use. */
function isOld({ check }: Examined): boolean {
  return check.olderNames.length > 0 ||
    check.notices.some(({ text }) =>
      /is no longer available|'(port|bind_address)' option/.test(text)
    );
}

function unset(option: string): Change["place"] {
  return ({ check, placeOf }) => check.global.values.has(option) ? undefined : placeOf(option);
}

function unsetInBridge(option: string): Change["place"] {
  return ({ check }) => check.bridges.find(({ values }) => !values.has(option))?.place;
}
