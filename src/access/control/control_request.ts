import { printable } from "../../log.ts";
import type { Identity } from "../../session/ports.ts";

/** One command of a request. */
export class ControlCommand {
  /** As the client wrote it; which command it is does not depend on case. */
  readonly name: string;
  readonly correlationData: string | undefined;
  readonly #members: object;

  constructor(name: string, correlationData: string | undefined, members: object) {
    this.name = name;
    this.correlationData = correlationData;
    this.#members = members;
  }

  member(name: string): unknown {
    return member(this.#members, name);
  }
}

/** What is said to one command. */
export interface ControlResponse {
  readonly command: string;
  readonly error?: string;
  readonly data?: unknown;
  readonly correlationData?: string;
}

/** What a client asks on `$CONTROL/…/v1`. */
export interface ControlRequest {
  /** Those before the first that is none. */
  readonly commands: readonly ControlCommand[];
  /** What is wrong with the request, or with its first command that is none; the rest is not done. */
  readonly failure: ControlResponse | undefined;
}

const UNKNOWN = "Unknown command";
/** In one request: each may be answered at length, and stands in the log. */
const COMMANDS_MAXIMUM = 10_000;

/** Reads a request; a broken one has its answer in it. */
export function readRequest(payload: Uint8Array): ControlRequest {
  const failed = (error: string) => ({ commands: [], failure: { command: UNKNOWN, error } });
  let request: unknown;
  try {
    request = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    return failed("Payload not valid JSON");
  }
  const list = isObject(request) ? member(request, "commands") : undefined;
  if (!Array.isArray(list)) return failed("Invalid/missing commands");
  const commands: ControlCommand[] = [];
  for (const entry of list) {
    const fails = (error: string, command = UNKNOWN) => ({ commands, failure: { command, error } });
    if (commands.length === COMMANDS_MAXIMUM) return fails("Too many commands");
    if (!isObject(entry)) return fails("Command not an object");
    const name = member(entry, "command");
    if (typeof name !== "string") return fails("Missing command");
    const correlationData = member(entry, "correlationData");
    if (correlationData !== undefined && typeof correlationData !== "string") {
      return fails("Invalid correlationData data type.", name);
    }
    commands.push(new ControlCommand(name, correlationData, entry));
  }
  return { commands, failure: undefined };
}

/** The answer's payload. */
export function formatResponses(responses: readonly ControlResponse[]): string {
  return JSON.stringify({
    responses: responses.map(({ command, error, data, correlationData }) => ({
      command,
      error,
      data,
      correlationData,
    })),
  });
}

/** A member by its name, whatever its case; of several the first, as Mosquitto reads them. */
export function member(object: object, name: string): unknown {
  const wanted = name.toLowerCase();
  for (const [key, value] of Object.entries(object)) {
    if (key.toLowerCase() === wanted) return value;
  }
  return undefined;
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Who gave a command, for the log: `CLIENTID/USERNAME`. */
export function administrator({ clientId, userName }: Identity): string {
  return `${printable(clientId)}/${userName === undefined ? "(null)" : printable(userName)}`;
}
