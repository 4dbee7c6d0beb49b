/**
 * Where Mosquitto 2.0.11 and we differ, and why. A difference that is gone fails the tests as well as
 * one that is not listed.
 * @module
 */

/** A difference that any script may meet. */
export interface KnownRule {
  readonly reason: string;
  /** Makes one transcript out of the other, for what one client gets in one step. */
  readonly theirs?: (theirs: readonly string[], ours: readonly string[]) => readonly string[];
  readonly ours?: (ours: readonly string[], theirs: readonly string[]) => readonly string[];
}

/** A script whose transcripts differ. */
export interface KnownDifference {
  /** The scenario and the script. */
  readonly script: string;
  readonly reason: string;
  /** `-` is what Mosquitto does, `+` is what we do. */
  readonly lines: readonly string[];
}

export const knownRules: readonly KnownRule[] = [
  {
    reason: "Since 2.0.12 Mosquitto, too, tells an MQTT 5 client that its session is taken over.",
    ours: (ours, theirs) =>
      theirs.some((line) => line.startsWith("DISCONNECT"))
        ? ours
        : ours.filter((line) => line !== "DISCONNECT 0x8e"),
  },
  {
    reason: "2.1 writes the Subscription Identifier behind the publisher's properties.",
    theirs: (theirs) =>
      theirs.map((line) =>
        line.replace(
          /( subscriptionIdentifier=\d+)(.*)$/,
          (_, identifier, rest) => rest + identifier,
        )
      ),
  },
];

export const knownDifferences: readonly KnownDifference[] = [
  {
    script: "reloading: passwords and rules",
    reason: "An MQTT 5 client that is turned out is told so; 2.0.11 just closes.",
    lines: [
      "11. reload with another passwords, acl",
      "+ bob: DISCONNECT 0x87",
      "17. reload with another passwords, acl",
      "+ bob: DISCONNECT 0x87",
    ],
  },
  {
    script: "reloading: strangers are turned out",
    reason: "An MQTT 5 client that is turned out is told so; 2.0.11 just closes.",
    lines: [
      "5. reload with another conf",
      "+ anon5: DISCONNECT 0x87",
    ],
  },
  {
    script: "max_inflight_messages 2: QoS 2",
    reason: "PUBCOMP frees one place, not two: 2.0.11 sends more than it may.",
    lines: [
      "10. s sends PUBCOMP 70020001",
      "- s: PUBLISH 't' \"4\" q2 #4",
      "11. s sends PUBCOMP 70020002",
      "+ s: PUBLISH 't' \"4\" q2 #4",
    ],
  },
  {
    script: "max_inflight_messages 2: the client's Receive Maximum",
    reason: "The smaller of both limits holds, as in 2.1; in 2.0.11 the client's alone.",
    lines: [
      "6. p sends PUBLISH 320700017400010031, PUBLISH 320700017400020032, PUBLISH 320700017400030033, PUBLISH 320700017400040034",
      "- big: PUBLISH 't' \"3\" q1 #3",
      "- big: PUBLISH 't' \"4\" q1 #4",
      "8. big: answer",
      "+ big: PUBLISH 't' \"3\" q1 #3",
      "+ big: PUBLISH 't' \"4\" q1 #4",
    ],
  },
  {
    script: "max_inflight_bytes 10: QoS 1",
    reason:
      "We count the message that is to be sent; 2.0.11 sends as long as the limit is not reached yet.",
    lines: [
      "6. p sends PUBLISH 32090001740003332e2e2e",
      "- s: PUBLISH 't' \"3...\" q1 #3",
      "8. s sends PUBACK 40020001",
      "- s: PUBLISH 't' \"4...\" q1 #4",
      "+ s: PUBLISH 't' \"3...\" q1 #3",
      "9. s sends PUBACK 40020002",
      "+ s: PUBLISH 't' \"4...\" q1 #4",
    ],
  },
  {
    script: "max_queued_messages 3; max_inflight_messages 2: all of them mixed",
    reason: "A message that finds the queue full uses up no Packet Identifier.",
    lines: [
      "20. s connects with MQTT 4",
      "- s: PUBLISH 't' \"1\" q1 #7",
      "- s: PUBLISH 't' \"2\" q1 #8",
      "- s: PUBLISH 't' \"3\" q1 #9",
      "+ s: PUBLISH 't' \"1\" q1 #6",
      "+ s: PUBLISH 't' \"2\" q1 #7",
      "+ s: PUBLISH 't' \"3\" q1 #8",
    ],
  },
  {
    script: "max_queued_bytes 20; max_inflight_messages 2: QoS 1",
    reason:
      "We count what waits, and the message that is to wait; 2.0.11 counts what is in flight, too, and not the message itself.",
    lines: [
      "20. slow: answer",
      "+ slow: PUBLISH 't' \"4.......\" q1 #4",
      "21. slow5: answer",
      "+ slow5: PUBLISH 't' \"4.......\" q1 #4",
      "22. away connects with MQTT 4",
      "- away: PUBLISH 't' \"3.......\" q1 #3",
    ],
  },
  {
    script: "allow_duplicate_messages false: of the same QoS",
    reason: "A copy that is not sent uses up no Packet Identifier.",
    lines: [
      "6. p sends PUBLISH 34090003612f6200010078",
      "- s: PUBLISH 'a/b' \"x\" q1 #4",
      "+ s: PUBLISH 'a/b' \"x\" q1 #2",
    ],
  },
  {
    script: "allow_duplicate_messages false: the highest QoS",
    reason:
      "[MQTT-3.3.5-1 v3] the one copy has the highest QoS of all that match; in 2.0.11 that of the first.",
    lines: [
      "3. s sends PUBLISH 34080003612f62000178",
      "- s: PUBLISH 'a/b' \"x\" q1 #1",
      "- s: PUBCOMP #1 0x00",
      "+ s: PUBLISH 'a/b' \"x\" q2 #1",
      "+ s: PUBCOMP #1 0x00",
      "+ s: PUBREL #1 0x00",
    ],
  },
  {
    script: "allow_duplicate_messages false: MQTT 5",
    reason: "We apply it to MQTT 5 as well.",
    lines: [
      "3. s sends PUBLISH 30070003612f620078",
      "- s: PUBLISH 'a/b' \"x\" q0",
    ],
  },
  {
    script: "max_keepalive 30: keep alive",
    reason: "2.1 puts the Server Keep Alive first.",
    lines: [
      "3. k31 connects with MQTT 5",
      "- k31: CONNACK 0x00 topicAliasMaximum=10 serverKeepAlive=30 maximumPacketSize=2000000 receiveMaximum=20",
      "+ k31: CONNACK 0x00 serverKeepAlive=30 topicAliasMaximum=10 maximumPacketSize=2000000 receiveMaximum=20",
      "4. k60 connects with MQTT 5",
      "- k60: CONNACK 0x00 topicAliasMaximum=10 serverKeepAlive=30 maximumPacketSize=2000000 receiveMaximum=20",
      "+ k60: CONNACK 0x00 serverKeepAlive=30 topicAliasMaximum=10 maximumPacketSize=2000000 receiveMaximum=20",
    ],
  },
  {
    script: "max_connections 2: the third",
    reason: "2.0.11 forgets a connection that stands when it refuses another.",
    lines: [
      "6. e connects with MQTT 5",
      "- e: CONNACK 0x00 topicAliasMaximum=10 maximumPacketSize=2000000 receiveMaximum=20",
      "+ e: the end",
    ],
  },
  {
    script: "max_qos 1: QoS",
    reason: "A refusing CONNACK has no properties, as in 2.1.",
    lines: [
      "12. w connects with MQTT 5",
      "- w: CONNACK 0x9b maximumQos=1",
      "+ w: CONNACK 0x9b",
    ],
  },
  {
    script: "mount_point: two listeners",
    reason:
      "The mount point is taken off what a client gets, as is documented and done by 2.1; shared subscriptions have it too.",
    lines: [
      "5. in sends PUBLISH 3308000174000100696e",
      "- in: PUBLISH 'm/t' \"in\" q1 #1",
      "+ in: PUBLISH 't' \"in\" q1 #1",
      "+ in: PUBLISH 't' \"in\" q1 #2",
      "7. out sends PUBLISH 320a00036d2f7400016f7574",
      "- in: PUBLISH 'm/t' \"out\" q1 #2",
      "+ in: PUBLISH 't' \"out\" q1 #3",
      "+ in: PUBLISH 't' \"out\" q1 #4",
      "8. out sends PUBLISH 320800016d00016f7574",
      "- in: PUBLISH 'm' \"out\" q1 #3",
      "+ in: PUBLISH 'm' \"out\" q1 #5",
      "10. in2 sends SUBSCRIBE 8206000100012b01",
      "- in2: PUBLISH 'm/t' \"in\" q1 #1 retain",
      "+ in2: PUBLISH 't' \"in\" q1 #1 retain",
      "13. in: close",
      "- in2: PUBLISH 'm/will' \"w\" q0",
      "+ in2: PUBLISH 'will' \"w\" q0",
    ],
  },
  {
    script: "max_packet_size 300: one byte too many",
    reason: "The size of a packet is that of the whole packet; 2.0.11 forgets bytes of the length.",
    lines: [
      "2. p sends PUBLISH 30aa02000174787878787878 …",
      "+ p: the end",
    ],
  },
  {
    script: "max_packet_size 300: one byte too many for the client",
    reason: "The size of a packet is that of the whole packet; 2.0.11 forgets bytes of the length.",
    lines: [
      "3. s sends PUBLISH 323b00017400010078787878 …",
      "- s: PUBLISH 't' (53 bytes) q1 #1",
    ],
  },
  {
    script: "max_packet_size 300: a PINGREQ with a body",
    reason: "2.1 closes as well.",
    lines: [
      "2. a sends PINGREQ c00100",
      "+ a: the end",
    ],
  },
  {
    script: "retained messages: parents before children",
    reason: "2.1 sends the parents first as well.",
    lines: [
      "6. s sends SUBSCRIBE 820800010003612f2300",
      "- s: PUBLISH 'a/b' \"kept a/b\" q0 retain",
      "- s: PUBLISH 'a/b/c' \"kept a/b/c\" q0 retain",
      "- s: PUBLISH 'a' \"kept a\" q0 retain",
      "+ s: PUBLISH 'a' \"kept a\" q0 retain",
      "+ s: PUBLISH 'a/b' \"kept a/b\" q0 retain",
      "+ s: PUBLISH 'a/b/c' \"kept a/b/c\" q0 retain",
      "7. s sends SUBSCRIBE 820a000100052b2f622f2300",
      "- s: PUBLISH 'a/b/c' \"kept a/b/c\" q0 retain",
      "- s: PUBLISH 'a/b' \"kept a/b\" q0 retain",
      "+ s: PUBLISH 'a/b' \"kept a/b\" q0 retain",
      "+ s: PUBLISH 'a/b/c' \"kept a/b/c\" q0 retain",
    ],
  },
  {
    script: "retained messages: the same filter twice in a packet",
    reason: "The second takes over from the first what is still to be sent.",
    lines: [
      "4. s sends SUBSCRIBE 820a00010001610000016100",
      "- s: PUBLISH 'a' \"kept a\" q0 retain",
    ],
  },
  {
    script: "retained messages: no local",
    reason: "Nobody gets it, which 0x10 says.",
    lines: [
      "3. p sends PUBLISH 321600036f776e0001006e6f …",
      "- p: PUBACK #1 0x00",
      "+ p: PUBACK #1 0x10",
    ],
  },
  {
    script: "retained messages: no local, added to a subscription",
    reason: "[MQTT-3.8.4-3] the new options replace the old; 2.0.11 keeps No Local as it was.",
    lines: [
      "4. p sends PUBLISH 32090001610001006f776e",
      "- p: PUBLISH 'a' \"own\" q1 #1",
      "- p: PUBACK #1 0x00",
      "+ p: PUBACK #1 0x10",
    ],
  },
  {
    script: "subscriptions: no subscription, to a name with $",
    reason:
      "There was none, which 0x11 says; 2.0.11 knows of no such tree and answers with success.",
    lines: [
      "2. s sends UNSUBSCRIBE a20d0001000008246e657665 …",
      "- s: UNSUBACK #1 00",
      "+ s: UNSUBACK #1 11",
    ],
  },
  {
    script: "subscriptions: shared ones that lack a part",
    reason: "[MQTT-4.8.2-1] such filters are invalid; 2.0.11 takes them for ordinary ones.",
    lines: [
      "2. four sends SUBSCRIBE 822500010008247368617265 …",
      "- four: SUBACK #1 00 00 00",
      "+ four: SUBACK #1 80 80 80",
      "4. five sends SUBSCRIBE 822600010000082473686172 …",
      "- five: SUBACK #1 00 00 00",
      "+ five: SUBACK #1 8f 8f 8f",
    ],
  },
  {
    script: "subscriptions: shared ones with a member that is away",
    reason:
      "Who is connected takes the message at once; Mosquitto keeps every second one for who is away.",
    lines: [
      "6. here sends PUBLISH 3206000174000131",
      "+ here: PUBLISH 't' \"1\" q1 #1",
      "7. away connects with MQTT 4",
      "- away: PUBLISH 't' \"1\" q1 #1",
    ],
  },
  {
    script: "subscriptions: shared ones and retained messages",
    reason: "MQTT 5 section 4.8.2: no retained messages for a new Shared Subscription.",
    lines: [
      "4. a sends SUBSCRIBE 8210000100000a2473686172 …",
      "- a: PUBLISH 't' \"kept t\" q1 #1 retain",
    ],
  },
  {
    script: "subscriptions: shared ones and No Local",
    reason: "[MQTT-3.8.3-4] is a Protocol Error, in 2.1 as well.",
    lines: [
      "2. a sends SUBSCRIBE 8210000100000a2473686172 …",
      "- a: SUBACK #1 01",
      "+ a: DISCONNECT 0x82",
      "+ a: the end",
    ],
  },
  {
    script: "flows: the wrong acknowledgement, MQTT 5",
    reason: "2.1 names the reason, too, before it closes.",
    lines: [
      "5. s sends PUBREC 50020001",
      "+ s: DISCONNECT 0x82",
      "11. s sends PUBCOMP 70020001",
      "+ s: DISCONNECT 0x82",
      "17. s sends PUBACK 40020001",
      "+ s: DISCONNECT 0x82",
      "23. s sends PUBCOMP 70020001",
      "+ s: DISCONNECT 0x82",
    ],
  },
  {
    script: "wills: a wildcard in a PUBLISH",
    reason: "2.1 answers with Malformed Packet as well.",
    lines: [
      "6. a sends PUBLISH 300400012300",
      "- a: DISCONNECT 0x82",
      "+ a: DISCONNECT 0x81",
    ],
  },
  {
    script: "wills: of one who is replaced, to itself",
    reason:
      "The connection is closed before the Will is sent; 2.0.11 does so only if the session was a lasting one.",
    lines: [
      "3. b connects with MQTT 4",
      "- a: PUBLISH 'w' \"mine\" q0",
    ],
  },
  {
    script: "wills: DISCONNECT with an error",
    reason: "[MQTT-3.1.2-10] only the reason 0x00 takes back the Will.",
    lines: [
      "4. a sends DISCONNECT e00180",
      "+ watch: PUBLISH 'w' \"error\" q0",
    ],
  },
  {
    script: "wills: a delay without a session",
    reason: "MQTT 5 section 3.1.3.2.2: the Will is due when the session ends.",
    lines: [
      "4. a: close",
      "+ watch: PUBLISH 'w' \"w\" q0",
    ],
  },
  {
    script: "wills: invalid ones, MQTT 5",
    reason: "2.1 answers with a CONNACK, too, before it closes.",
    lines: [
      "1. a connects with MQTT 5",
      "+ a: CONNACK 0x81",
      "2. a connects with MQTT 5",
      "+ a: CONNACK 0x81",
      "4. a connects with MQTT 5",
      "+ a: CONNACK 0x81",
    ],
  },
  {
    script: "a restart with persistence: what is kept",
    reason: "2.0.11 does not keep Shared Subscriptions.",
    lines: [
      "25. five sends PUBLISH 33090003612f7800020078",
      "+ share: PUBLISH 'a/x' \"x\" q1 #3",
    ],
  },
];
