import { pbkdf2Sync } from "node:crypto";
import {
  publish,
  type PublishFields,
  subscribe,
  type SubscribeFields,
  type Version,
} from "../support/packets.ts";
import type { Setting } from "./broker_under_test.ts";
import type { Step } from "./script.ts";

/** Scripts that are run one after the other against a broker of the same configuration. */
export interface Scenario {
  readonly about: string;
  readonly setting: Setting;
  readonly scripts: Readonly<Record<string, readonly Step[]>>;
}

/** A listener that takes anybody. */
export const OPEN: readonly string[] = ["listener {port} 127.0.0.1", "allow_anonymous true"];

/** PUBLISH in a line. */
export function pub(
  version: Version,
  topic: string,
  payload = "",
  further: Partial<PublishFields> = {},
): Uint8Array {
  return publish(version, { topic, payload, ...further });
}

/** SUBSCRIBE to one filter or several with the same options. */
export function sub(
  version: Version,
  filters: string | readonly string[],
  options = 0,
  further: Partial<SubscribeFields> = {},
): Uint8Array {
  const list = typeof filters === "string" ? [filters] : filters;
  return subscribe(version, { filters: list.map((filter) => [filter, options]), ...further });
}

/** A password file as Mosquitto 2.0 reads it: PBKDF2 with a salt of twelve bytes. */
export function passwordFile(users: Readonly<Record<string, string>>): string {
  const salt = "twelve bytes";
  return Object.entries(users).map(([name, password]) => {
    const hash = pbkdf2Sync(password, salt, 101, 64, "sha512").toString("base64");
    return `${name}:$7$101$${btoa(salt)}$${hash}\n`;
  }).join("");
}
