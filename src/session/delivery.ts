import type { Delivery } from "../wire/outbox.ts";

/**
 * How a message is delivered, filled in anew for each: an outbox reads it and keeps nothing of it, so
 * that one object does for all.
 */
export const delivery: Delivery = {
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
  identifiers: null,
  expirySeconds: -1,
};
