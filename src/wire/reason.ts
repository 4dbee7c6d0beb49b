/** Reason Codes of MQTT 5.0, section 2.4, by their names there. */
export const Reason = {
  Success: 0x00,
  GrantedQos1: 0x01,
  GrantedQos2: 0x02,
  DisconnectWithWill: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QosNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** CONNACK return codes of MQTT 3.1 and 3.1.1, section 3.2.2.3. */
export const ReturnCode = {
  Accepted: 0,
  UnacceptableProtocolVersion: 1,
  IdentifierRejected: 2,
  ServerUnavailable: 3,
  BadUserNameOrPassword: 4,
  NotAuthorized: 5,
} as const;

/** The 3.x return code that says what the MQTT 5 reason says; undefined: 3.x has no word for it. */
export function returnCodeFor(reason: number): number | undefined {
  switch (reason) {
    case Reason.UnsupportedProtocolVersion:
      return ReturnCode.UnacceptableProtocolVersion;
    case Reason.ClientIdentifierNotValid:
      return ReturnCode.IdentifierRejected;
    case Reason.ServerUnavailable:
      return ReturnCode.ServerUnavailable;
    case Reason.BadUserNameOrPassword:
      return ReturnCode.BadUserNameOrPassword;
    case Reason.NotAuthorized:
    case Reason.Banned:
    case Reason.PacketTooLarge:
      return ReturnCode.NotAuthorized;
    default:
      return undefined;
  }
}

const TEXTS: Record<number, string> = {
  [Reason.DisconnectWithWill]: "disconnected with Will Message",
  [Reason.MalformedPacket]: "malformed packet",
  [Reason.ProtocolError]: "protocol error",
  [Reason.NotAuthorized]: "not authorised",
  [Reason.ServerBusy]: "server busy",
  [Reason.ServerShuttingDown]: "server shutting down",
  [Reason.KeepAliveTimeout]: "exceeded timeout",
  [Reason.SessionTakenOver]: "session taken over",
  [Reason.ReceiveMaximumExceeded]: "receive maximum exceeded",
  [Reason.TopicAliasInvalid]: "topic alias invalid",
  [Reason.PacketTooLarge]: "oversize packet",
  [Reason.QuotaExceeded]: "quota exceeded",
  [Reason.AdministrativeAction]: "administrative action",
  [Reason.RetainNotSupported]: "retain not supported",
  [Reason.QosNotSupported]: "qos not supported",
  [Reason.BadAuthenticationMethod]: "bad authentication method",
};

/** The words Mosquitto's log has for a reason; tools read them there. */
export function reasonText(reason: number): string {
  return TEXTS[reason] ?? `reason 0x${reason.toString(16).padStart(2, "0")}`;
}
