import type { Identity } from "../session/ports.ts";
import { type Decision, DEFER, type Policy } from "./policy.ts";

/** Below it the server keeps the birth certificates. */
const CERTIFICATES = "$sparkplug/certificates/";

const BIRTH = /^spBv1\.0\/[^/]+\/(NBIRTH\/[^/]+|DBIRTH\/[^/]+\/[^/]+)$/;

/**
 * What makes a Sparkplug "aware" server (Sparkplug 3.0, chapter 10): the last NBIRTH of each edge node
 * and the last DBIRTH of each device are there for whoever comes later, as retained messages below
 * `$sparkplug/certificates/`. The timestamp of an NDEATH may be replaced by such a server; this one
 * leaves payloads alone.
 */
export class SparkplugPolicy implements Policy {
  readonly name = "sparkplug-aware";
  readonly publishIsRemembered = true;
  readonly onlyRefuses = true;

  /** Certificates are the server's word: no client may forge one, or take one away. */
  mayPublish(_identity: Identity, topicName: string): Decision<boolean> {
    return topicName.startsWith(CERTIFICATES) ? false : DEFER;
  }
}

/** The Topic Name for the certificate of what is published there; null: it is no birth. */
export function certificateTopic(topicName: string): string | null {
  if (!topicName.startsWith("spBv1.0/") || !BIRTH.test(topicName)) return null;
  return CERTIFICATES + topicName;
}
