import { echoNotices, selfFeedingMistakes } from "../bridge/self_feeding.ts";
import type { BridgeSettings, BridgeTls } from "../bridge/settings.ts";
import type { Mistake } from "../mistake.ts";
import { isLoopback } from "./loopback.ts";
import type { BridgeValues } from "./options.ts";

const VERSIONS = { mqttv31: 3, mqttv311: 4, mqttv50: 5 } as const;

/** A bridge as it works, from its options. The name of this host is part of its default identifiers. */
export function bridgeSettings(
  values: BridgeValues,
  hostName: string,
  qos1Inflight: number | null = null,
): BridgeSettings {
  const { name } = values;
  const remoteClientId = values.remoteClientid || `${hostName}.${name}`;
  return {
    name,
    place: values.place,
    addresses: values.address.map(({ address, port, url }) => ({ host: address, port, url })),
    topics: values.topic,
    remoteClientId,
    localClientId: values.localClientid || `local.${remoteClientId}`,
    remoteUsername: values.remoteUsername,
    remotePassword: values.remotePassword,
    localUsername: values.localUsername,
    cleanSession: values.cleansession,
    localCleanSession: values.localCleansession,
    keepaliveSeconds: values.keepaliveInterval,
    notifications: values.notifications,
    notificationsLocalOnly: values.notificationsLocalOnly,
    notificationTopic: values.notificationTopic ||
      `$SYS/broker/connection/${remoteClientId}/state`,
    startType: values.startType,
    idleTimeoutSeconds: values.idleTimeout,
    threshold: values.threshold,
    backoff: values.restartTimeout,
    roundRobin: values.roundRobin,
    tryPrivate: values.tryPrivate,
    protocolVersion: VERSIONS[values.bridgeProtocolVersion],
    attemptUnsubscribe: values.bridgeAttemptUnsubscribe,
    outgoingRetain: values.bridgeOutgoingRetain,
    maxPacketSize: values.bridgeMaxPacketSize,
    maxTopicAlias: values.bridgeMaxTopicAlias,
    qos1Inflight,
    receiveMaximum: values.bridgeReceiveMaximum,
    sessionExpirySeconds: values.bridgeSessionExpiryInterval,
    bindAddress: values.bridgeBindAddress,
    tcpKeepalive: values.bridgeTcpKeepalive === null ? null : {
      idleSeconds: values.bridgeTcpKeepalive.idleSeconds,
      intervalSeconds: values.bridgeTcpKeepalive.intervalSeconds,
      probes: values.bridgeTcpKeepalive.count,
    },
    tcpUserTimeoutMs: values.bridgeTcpUserTimeout,
    reloadType: values.bridgeReloadType,
    tls: tlsOf(values),
  };
}

/** What is wrong with bridges that are each complete, in a broker that listens on these ports. */
export function bridgeMistakes(
  bridges: readonly BridgeValues[],
  ports: readonly number[],
): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const { bridgePsk, places, place } of bridges) {
    if (/^[0-9a-f]*$/i.test(bridgePsk)) continue;
    mistakes.push({
      ...places.get("bridge_psk") ?? place,
      message: "Invalid 'bridge_psk' value in configuration.",
      hint: "write the key in hexadecimal digits, without 0x",
    });
  }
  if (mistakes.length > 0) return mistakes;
  // Whatever the host is called, it makes no difference here.
  return selfFeedingMistakes(
    bridges.map((one) => bridgeSettings(one, "host")),
    ({ host, port }) => (host === "localhost" || isLoopback(host)) && ports.includes(port),
  );
}

/** What to tell of bridges that work, but perhaps not as meant. */
export function bridgeNotices(bridges: readonly BridgeValues[]): ReturnType<typeof echoNotices> {
  return echoNotices(bridges.map((one) => bridgeSettings(one, "host")));
}

/** Null: the connection is not encrypted. */
function tlsOf(values: BridgeValues): BridgeTls | null {
  const { bridgeCafile, bridgeCapath, bridgeTlsUseOsCerts, bridgeIdentity, bridgePsk } = values;
  const usesUrl = values.address.some(({ url }) => url?.startsWith("wss:") === true);
  const isOn = bridgeCafile !== "" || bridgeCapath !== "" || bridgeTlsUseOsCerts ||
    bridgePsk !== "" || usesUrl;
  if (!isOn) return null;
  return {
    caFile: bridgeCafile,
    caPath: bridgeCapath,
    useOsCertificates: bridgeTlsUseOsCerts,
    certFile: values.bridgeCertfile,
    keyFile: values.bridgeKeyfile,
    insecure: values.bridgeInsecure,
    alpn: values.bridgeAlpn,
    minimumVersion: values.bridgeTlsVersion,
    ciphers: values.bridgeCiphers,
    ciphersTls13: values.bridgeCiphersTls13,
    requireOcsp: values.bridgeRequireOcsp,
    psk: bridgePsk === "" ? null : { identity: bridgeIdentity, key: keyOf(bridgePsk) },
  };
}

/** OpenSSL reads an odd number of digits as if a zero stood in front. */
function keyOf(digits: string): Uint8Array {
  return Uint8Array.fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
}
