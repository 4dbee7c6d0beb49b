/**
 * Scripts as plain values: what clients do to a broker, step by step, without saying what comes of
 * it. A client has a name in its script, which is its Client Identifier too unless the step says
 * otherwise.
 * @module
 */
import { type ConnectFields, disconnect, type Version } from "../support/packets.ts";

/** Opens a connection and sends CONNECT, and `further` in the same write. */
export interface ConnectStep {
  readonly kind: "connect";
  readonly client: string;
  readonly version: Version;
  readonly fields: ConnectFields;
  /** Which listener, by its place in the configuration. */
  readonly listener: number;
  /** Whether QoS 1 and 2 messages are acknowledged as they come. */
  readonly answers: boolean;
}
/** Sends packets in one write. */
export interface SendStep {
  readonly kind: "send";
  readonly client: string;
  readonly packets: readonly Uint8Array[];
}
/** Ends a connection without a DISCONNECT. */
export interface CloseStep {
  readonly kind: "close";
  readonly client: string;
}
/** Acknowledges from now on, and first what has come so far. */
export interface AnswerStep {
  readonly kind: "answer";
  readonly client: string;
}
/** Ends the broker with SIGTERM and starts it again. */
export interface RestartStep {
  readonly kind: "restart";
}
/** Replaces files of the configuration, `conf` among them, and sends SIGHUP. */
export interface ReloadStep {
  readonly kind: "reload";
  readonly files: Readonly<Record<string, string>>;
}
/** Lets real time pass, for what the brokers do by the clock. */
export interface PauseStep {
  readonly kind: "pause";
  readonly milliseconds: number;
}

export type Step =
  | ConnectStep
  | SendStep
  | CloseStep
  | AnswerStep
  | RestartStep
  | ReloadStep
  | PauseStep;

type ConnectOptions = ConnectFields & { readonly listener?: number; readonly answers?: boolean };

/** A client that acknowledges as it should, unless `answers` is false. */
export function connectAs(
  client: string,
  version: Version,
  { listener = 0, answers = true, ...fields }: ConnectOptions = {},
): Step {
  return {
    kind: "connect",
    client,
    version,
    fields: { clientId: client, ...fields },
    listener,
    answers,
  };
}

export function send(client: string, ...packets: Uint8Array[]): Step {
  return { kind: "send", client, packets };
}

/** Sends DISCONNECT. */
export function leave(client: string, reason?: number): Step {
  return send(client, disconnect(reason === undefined ? {} : { reason }));
}

export function close(client: string): Step {
  return { kind: "close", client };
}

export function answer(client: string): Step {
  return { kind: "answer", client };
}

export function restart(): Step {
  return { kind: "restart" };
}

export function reload(files: Readonly<Record<string, string>>): Step {
  return { kind: "reload", files };
}

export function pause(milliseconds: number): Step {
  return { kind: "pause", milliseconds };
}

/** A step in a line, for transcripts. */
export function stepInWords(step: Step): string {
  switch (step.kind) {
    case "connect":
      return `${step.client} connects with MQTT ${step.version}`;
    case "send":
      return `${step.client} sends ${step.packets.map(packetInWords).join(", ")}`;
    case "pause":
      return `pause of ${step.milliseconds} ms`;
    case "restart":
      return "restart";
    case "reload":
      return `reload with another ${Object.keys(step.files).join(", ")}`;
    default:
      return `${step.client}: ${step.kind}`;
  }
}

const names =
  "0 CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE" +
  " UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH";

function packetInWords(packet: Uint8Array): string {
  const name = names.split(" ")[packet[0] >> 4];
  return [name, packet.subarray(0, 12).toHex(), ...(packet.length > 12 ? ["…"] : [])].join(" ");
}
