import type { Configuration } from "./config/configuration.ts";
import type { Settings } from "./session/ports.ts";

/** The core's settings; negative numbers are Mosquitto's other way to say "no limit". */
export function settingsOf({ global }: Configuration): Settings {
  const limit = (value: number) => Math.max(0, value);
  return {
    maxInflightMessages: limit(global.maxInflightMessages),
    maxInflightBytes: limit(global.maxInflightBytes),
    maxQueuedMessages: limit(global.maxQueuedMessages),
    maxQueuedBytes: limit(global.maxQueuedBytes),
    queueQos0Messages: global.queueQos0Messages,
    upgradeOutgoingQos: global.upgradeOutgoingQos,
    allowDuplicateMessages: global.allowDuplicateMessages,
    maxPacketSize: limit(global.maxPacketSize),
    maxKeepalive: global.maxKeepalive,
    messageSizeLimit: global.messageSizeLimit,
    retainAvailable: global.retainAvailable,
    allowZeroLengthClientid: global.allowZeroLengthClientid,
    autoIdPrefix: global.autoIdPrefix,
    maxUnsentBytes: global.maxUnsentBytes,
    maxUnreleasedBytes: global.maxUnreleasedBytes,
    strictReceiveMaximum: global.strictReceiveMaximum,
    maxSubscriptionsPerClient: global.maxSubscriptionsPerClient,
    maxRetainedMessages: global.maxRetainedMessages,
    persistentClientExpiration: global.persistentClientExpiration,
    connectTimeoutSeconds: global.connectTimeout,
    globalMaxClients: limit(global.globalMaxClients),
    connectionMessages: global.connectionMessages,
    sysInterval: global.sysInterval,
    retainExpiryInterval: global.retainExpiryInterval * 60,
  };
}
