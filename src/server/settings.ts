import type { Configuration } from "../config/configuration.ts";
import type { ListenerSettings, Settings } from "../session/ports.ts";

/** Messages in the queue of one client from which on publishers wait, or a quarter of what may be there. */
const LONG_QUEUE = 256;
/** Whoever allows less than this wants the rest dropped at once. */
const QUEUED_MESSAGES_MINIMUM = 100, QUEUED_BYTES_MINIMUM = 65_536;

/** The core's settings; negative numbers are Mosquitto's other way to say "no limit". */
export function settingsOf({ global }: Configuration): Settings {
  const limit = (value: number) => Math.max(0, value);
  return {
    maxInflightMessages: limit(global.maxInflightMessages),
    maxInflightBytes: limit(global.maxInflightBytes),
    maxQueuedMessages: limit(global.maxQueuedMessages),
    maxQueuedBytes: limit(global.maxQueuedBytes),
    longQueue: longQueueOf(limit(global.maxQueuedMessages), limit(global.maxQueuedBytes)),
    queueQos0Messages: global.queueQos0Messages,
    upgradeOutgoingQos: global.upgradeOutgoingQos,
    allowDuplicateMessages: global.allowDuplicateMessages,
    maxPacketSize: limit(global.maxPacketSize),
    maxKeepalive: global.maxKeepalive,
    messageSizeLimit: global.messageSizeLimit,
    retainAvailable: global.retainAvailable,
    maxUnsentBytes: global.maxUnsentBytes,
    maxUnreleasedBytes: global.maxUnreleasedBytes,
    strictReceiveMaximum: global.strictReceiveMaximum,
    maxSubscriptionsPerClient: global.maxSubscriptionsPerClient,
    maxRetainedMessages: global.maxRetainedMessages,
    persistentClientExpiration: global.persistentClientExpiration,
    connectTimeoutSeconds: global.connectTimeout,
    globalMaxClients: limit(global.globalMaxClients),
    memoryLimit: global.memoryLimit,
    clientidPrefix: global.clientidPrefixes,
    clientRate: { messages: global.clientMessageRate, bytes: global.clientByteRate },
    userRate: { messages: global.userMessageRate, bytes: global.userByteRate },
    loginFailuresPerMinute: global.loginFailuresPerMinute,
    checkRetainSource: global.checkRetainSource,
    connectionMessages: global.connectionMessages,
    sysInterval: global.sysInterval,
    retainExpiryInterval: global.retainExpiryInterval * 60,
  };
}

/** From how much on publishers wait for a client, by what may be queued for it; 0: anything. */
export function longQueueOf(maxMessages: number, maxBytes: number): Settings["longQueue"] {
  return {
    messages: maxMessages === 0
      ? LONG_QUEUE
      : maxMessages < QUEUED_MESSAGES_MINIMUM
      ? Infinity
      : Math.min(LONG_QUEUE, maxMessages / 4),
    bytes: maxBytes < QUEUED_BYTES_MINIMUM ? Infinity : maxBytes / 4,
  };
}

/** As users name a listener: its port or path. */
export function listenerName(
  { unixPath, port }: { readonly unixPath: string | null; readonly port: number },
): string {
  return unixPath ?? String(port);
}

/** What the core is told of one listener; `port` is known when it is open. */
export function listenerSettingsOf(
  { listeners }: Configuration,
  number: number,
): Omit<ListenerSettings, "port"> {
  const listener = listeners[number];
  return {
    number,
    maxQos: listener.maxQos as 0 | 1 | 2,
    maxTopicAlias: listener.maxTopicAlias,
    maxTopicAliasBroker: listener.maxTopicAliasBroker,
    acceptProtocolVersions: listener.acceptProtocolVersions,
    allowZeroLengthClientid: listener.allowZeroLengthClientid,
    autoIdPrefix: listener.autoIdPrefix,
    userNameFrom: listener.useIdentityAsUsername
      ? "identity"
      : listener.useSubjectAsUsername
      ? "subject"
      : "connect",
    useUsernameAsClientid: listener.useUsernameAsClientid,
    mountPoint: listener.mountPoint,
    rate: { messages: listener.listenerMessageRate, bytes: listener.listenerByteRate },
  };
}
