/** Control Packet types of MQTT 5.0, section 2.1.2: the high nibble of the first byte. */
export const PacketType = {
  Connect: 1,
  Connack: 2,
  Publish: 3,
  Puback: 4,
  Pubrec: 5,
  Pubrel: 6,
  Pubcomp: 7,
  Subscribe: 8,
  Suback: 9,
  Unsubscribe: 10,
  Unsuback: 11,
  Pingreq: 12,
  Pingresp: 13,
  Disconnect: 14,
  Auth: 15,
} as const;

/** The protocol levels: MQTT 3.1, 3.1.1 and 5.0. */
export type Version = 3 | 4 | 5;
