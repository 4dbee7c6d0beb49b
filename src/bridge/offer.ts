import type { ConnackPacket } from "../wire/connack_packet.ts";
import type { Version } from "../wire/packet_type.ts";
import type { Qos } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import { connectRequest } from "../wire/requests.ts";
import type { BridgeSettings } from "./settings.ts";

/** What a bridge offers in its CONNECT. What a remote broker has turned down is not offered again. */
export class Offer {
  version: Version;
  /** Messages go out with RETAIN, and so does the Will. */
  retains: boolean;
  readonly #settings: BridgeSettings;
  #marksBridge: boolean;
  #willQos: Qos = 1;

  constructor(settings: BridgeSettings) {
    this.#settings = settings;
    this.version = settings.protocolVersion;
    this.retains = settings.outgoingRetain;
    this.#marksBridge = settings.tryPrivate;
  }

  /** The CONNECT. `inflight` stands for a Receive Maximum that was not configured. */
  packet(inflight: number): Uint8Array {
    const settings = this.#settings;
    const { remoteUsername, remotePassword } = settings;
    const hasWill = settings.notifications && !settings.notificationsLocalOnly;
    return connectRequest({
      version: this.version,
      marksBridge: this.#marksBridge,
      clientId: settings.remoteClientId,
      cleanStart: settings.cleanSession,
      keepAliveSeconds: settings.keepaliveSeconds,
      will: hasWill
        ? {
          topic: settings.notificationTopic,
          payload: "0",
          qos: this.#willQos,
          retain: this.retains,
        }
        : undefined,
      userName: remoteUsername === "" ? undefined : remoteUsername,
      password: remoteUsername === "" || remotePassword === "" ? undefined : remotePassword,
      topicAliasMaximum: settings.maxTopicAlias,
      receiveMaximum: settings.receiveMaximum || inflight,
      sessionExpirySeconds: settings.sessionExpirySeconds,
    });
  }

  /** Offers less than what was refused; returns what, in words. Null: there is nothing less. */
  lower({ isMqtt5, reason }: ConnackPacket): string | null {
    if (this.version === 5 && reason === (isMqtt5 ? Reason.UnsupportedProtocolVersion : 1)) {
      this.version = 4;
      return "with MQTT 3.1.1";
    }
    if (!isMqtt5) {
      if (reason !== 1 || !this.#marksBridge) return null;
      this.#marksBridge = false;
      return "without try_private";
    }
    if (reason === Reason.RetainNotSupported && this.retains) {
      this.retains = false;
      return "without retained messages";
    }
    if (reason === Reason.QosNotSupported && this.#willQos > 0) {
      this.#willQos = 0;
      return "with a Will of QoS 0";
    }
    return null;
  }
}
