import type { Route } from "./subscription_tree.ts";

/** An interned Topic Name: valid, with its route for as long as the subscriptions stay the same. */
export class Topic {
  readonly name: string;
  /** UTF-8, in bytes of its own. */
  readonly bytes: Uint8Array;
  readonly hash: number;
  /** Starts with `$`: wildcards in a filter's first level do not match it [MQTT-4.7.2-1]. */
  readonly isSystem: boolean;
  /** Cached by the subscription tree; valid for its generation. */
  route: Route<unknown> | null = null;
  routeGeneration = -1;

  constructor(name: string, bytes: Uint8Array, hash: number) {
    this.name = name;
    this.bytes = bytes;
    this.hash = hash;
    this.isSystem = name.startsWith("$");
  }
}
