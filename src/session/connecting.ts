import { printable } from "../log.ts";
import { connack } from "../wire/answers.ts";
import { type ConnectPacket, readConnect, readProtocolLevel } from "../wire/connect_packet.ts";
import { unanswered } from "../wire/protocol_error.ts";
import { Reason, reasonText } from "../wire/reason.ts";
import {
  connackProperties,
  effectiveKeepAlive,
  type Refusal,
  refusal,
  refusalOf,
} from "./connect.ts";
import type { Connection } from "./connection.ts";
import { MountPoint } from "./mount_point.ts";
import type { Host, Identity, ListenerSettings, Peer } from "./ports.ts";
import { OutgoingTopicAliases } from "./topic_aliases.ts";

/** How a connection becomes a client's: CONNECT, the question to `Access`, CONNACK. */

/** Handles the CONNECT that the host's reader has found. @throws {ProtocolError} */
export function receiveConnect(host: Host, connection: Connection): void {
  const { bytes, firstByte, bodyStart, end } = host.reader;
  const level = readProtocolLevel(bytes, bodyStart, end);
  connection.version = level.version;
  if ((firstByte & 0x0f) !== 0 && level.version !== 3) throw unanswered("CONNECT's flags");
  const connect = readConnect(bytes, level, end);
  const { settings } = host;
  host.counters.connects++;
  const refused = refusalOf(connect, settings, connection.listener);
  if (refused !== undefined) return refuseConnect(host, connection, refused);
  const { listener, link } = connection;
  const isCertified = listener.userNameFrom !== "connect";
  // A name of no characters is nobody's, as Mosquitto has it.
  const userName = isCertified ? certifiedName(listener, link.peer) : connect.userName || undefined;
  const clientId = clientIdOf(host, listener, connect, userName);
  const identity: Identity = {
    clientId: clientId ?? connect.clientId,
    userName,
    isCertified,
    remoteAddress: link.remoteAddress,
    version: connect.version,
    listener,
  };
  connection.isBridge = connect.bridge;
  connection.identity = identity;
  if (isCertified && userName === undefined) {
    return refuseConnect(host, connection, refusal(Reason.BadUserNameOrPassword));
  }
  if (clientId === undefined || !clientId.startsWith(settings.clientidPrefix)) {
    return refuseConnect(host, connection, refusal(Reason.NotAuthorized));
  }
  // The handshake has proven who it is.
  if (isCertified) return authenticated(host, connection, connect, clientId, Reason.Success);
  const delayMs = host.loginDelayMs(identity);
  if (delayMs === 0) return authenticate(host, connection, connect, identity);
  connection.suspend();
  host.resumeAfter(connection, delayMs, () => authenticate(host, connection, connect, identity));
}

function authenticate(
  host: Host,
  connection: Connection,
  connect: ConnectPacket,
  identity: Identity,
) {
  const { clientId } = identity;
  const reason = host.access.authenticate(
    identity,
    connect.password,
    (answer) =>
      connection.resumeWith(() => authenticated(host, connection, connect, clientId, answer)),
  );
  if (reason === undefined) connection.suspend();
  else authenticated(host, connection, connect, clientId, reason);
}

/** The user name that the handshake has proven; undefined: it has proven none. */
function certifiedName(
  { userNameFrom }: ListenerSettings,
  peer: Peer | null,
): string | undefined {
  const name = userNameFrom === "subject"
    ? peer?.certificateSubject
    : peer?.certificateName ?? peer?.pskIdentity;
  return name || undefined;
}

/** The Client Identifier in force; undefined: it should be the user name, and there is none. */
function clientIdOf(
  host: Host,
  listener: ListenerSettings,
  connect: ConnectPacket,
  userName: string | undefined,
): string | undefined {
  if (listener.useUsernameAsClientid) return userName;
  return connect.clientId === "" ? host.newClientId(listener.autoIdPrefix) : connect.clientId;
}

function authenticated(
  host: Host,
  connection: Connection,
  connect: ConnectPacket,
  clientId: string,
  reason: number,
) {
  if (reason === Reason.Success) reason = host.admits(clientId);
  else host.loginFailed(connection.identity!);
  if (reason !== Reason.Success) return refuseConnect(host, connection, refusal(reason));
  const { settings } = host;
  connection.outbox.version = connect.version;
  connection.outbox.maximumPacketSize = connect.maximumPacketSize;
  const packet = (present: boolean) =>
    connack(
      connect.version,
      present,
      Reason.Success,
      connackProperties(connect, clientId, settings, connection.listener),
    );
  // [MQTT-3.1.2-24]: a CONNACK too large for the client cannot be sent, so there is no connection.
  if (packet(false).length > connect.maximumPacketSize) {
    return connection.close({ sendWill: false });
  }
  const { mountPoint } = connection.listener;
  if (mountPoint !== "") connect = mount(host, connection, connect, mountPoint);
  connection.accepted();
  connection.sendQuota = Math.min(connect.receiveMaximum, settings.maxInflightMessages || 0xffff);
  const aliases = Math.min(connect.topicAliasMaximum, connection.listener.maxTopicAliasBroker);
  if (aliases > 0) connection.outbox.aliases = new OutgoingTopicAliases(aliases);
  const keepAlive = effectiveKeepAlive(connect, settings);
  connection.keepAliveMs = keepAlive * 1000;
  const present = host.openSession(connection, connect, clientId);
  const safeAt = present ? 0 : host.endSafeAt(clientId);
  if (safeAt <= host.journal.committed) {
    connection.outbox.packet(packet(present));
    return started(host, connection, connect, clientId);
  }
  // "No session" promises that the one before does not come back after a crash. The new one has no
  // subscription yet, so that nothing is sent before its CONNACK.
  connection.suspend();
  connection.answerAt(
    safeAt,
    packet(present),
    () => connection.resumeWith(() => started(host, connection, connect, clientId)),
  );
}

/** The client's topics stand below the mount point, and so does that of its Will. */
function mount(
  host: Host,
  connection: Connection,
  connect: ConnectPacket,
  prefix: string,
): ConnectPacket {
  connection.mapping = connection.outbox.names = new MountPoint(prefix, host.topics);
  const { will } = connect;
  if (will === undefined) return connect;
  return { ...connect, will: { ...will, topicName: prefix + will.topicName } };
}

function started(
  host: Host,
  connection: Connection,
  connect: ConnectPacket,
  clientId: string,
) {
  if (connection.logsConnections) {
    const { userName } = connection.identity!;
    const user = userName === undefined ? "" : `, u'${printable(userName)}'`;
    const clean = connect.cleanStart ? 1 : 0;
    host.log(
      "notice",
      `New client connected from ${connection.link.remoteAddress} as ${printable(clientId)} ` +
        `(p${connect.version}, c${clean}, k${connect.keepAliveSeconds}${user}).`,
      connection.logDetails("connected"),
    );
    const { tlsVersion, cipher } = connection.link.peer ?? {};
    if (tlsVersion !== undefined) {
      host.log("notice", `Client ${printable(clientId)} negotiated ${tlsVersion} cipher ${cipher}`);
    }
  }
  host.connectionStarted(connection);
  if (connection.session!.hasOutbound) connection.session!.outbound.pump();
  connection.feedRetained();
}

/** Answers a CONNECT that is not accepted, where there is an answer, and closes. */
export function refuseConnect(
  host: Host,
  connection: Connection,
  { reason, returnCode }: Refusal,
): void {
  if (connection.version === 5) connection.outbox.packet(connack(5, false, reason));
  else if (returnCode !== undefined) {
    connection.outbox.packet(connack(connection.version, false, returnCode));
  }
  if (connection.logsConnections) {
    host.log(
      "notice",
      `Client ${connection.name} [${connection.link.remoteAddress}] disconnected: ${
        reasonText(reason)
      }.`,
      connection.logDetails("refused"),
    );
  }
  connection.close({ sendWill: false });
}
