import { readFileSync } from "node:fs";
import { errorText } from "../../error_text.ts";
import { type LogType, printable } from "../../log.ts";
import type { Mistake } from "../../mistake.ts";
import type { Identity } from "../../session/ports.ts";
import {
  administrator,
  type ControlCommand,
  type ControlRequest,
  type ControlResponse,
  formatResponses,
  readRequest,
} from "../control/control_request.ts";
import type { PasswordVerifier } from "../password_verifier.ts";
import type { Policy } from "../policy.ts";
import { replaceFile } from "../replace_file.ts";
import { CommandError, CommandFields } from "./command_fields.ts";
import { type CommandContext, commandNamed, type Done, Kicks } from "./commands.ts";
import { createFirstFile, type InitialPasswords } from "./first_start.ts";
import { hashPassword } from "./new_password.ts";
import { type ReadState, readState } from "./read_state.ts";
import { SecurityPolicy } from "./security_policy.ts";
import { SecurityState } from "./security_state.ts";
import { writeState } from "./write_state.ts";

/** Where dynamic security takes its commands. */
export const SECURITY_CONTROL_TOPIC = "$CONTROL/dynamic-security/v1";

/** What dynamic security needs of the process around it. */
export interface DynamicSecurityOptions extends InitialPasswords {
  /** `plugin_opt_config_file`. */
  readonly file: string;
  readonly verifier: PasswordVerifier;
  log(type: LogType, text: string): void;
  /** Other answers hold from now on than those given before. */
  changed(): void;
  /** Ends the connections of those whose rights have changed, with 0x98 and without their Will. */
  disconnect(concerned: Concerned): void;
  /** Connected clients with that user name. */
  connectionsOf(userName: string): Iterable<{ clientId: string; address: string }>;
}

/** Clients by their user names. */
export interface Concerned {
  readonly userNames: ReadonlySet<string>;
  /** Those without a user name, too. */
  readonly anonymous: boolean;
}

/** What came of opening a file. */
export interface OpenedSecurity {
  /** Undefined when there are mistakes. */
  readonly security: DynamicSecurity | undefined;
  readonly mistakes: readonly Mistake[];
  readonly warnings: readonly Mistake[];
}

/**
 * Clients, groups and roles that are changed while the broker runs: Mosquitto's dynamic security, on
 * its file and by its commands. A request is done as a whole, one after the other: its changes come
 * into force, and are answered, when they are on disk.
 */
export class DynamicSecurity {
  readonly #options: DynamicSecurityOptions;
  readonly #policy: SecurityPolicy;
  /** Ends with the last request that came. */
  #last: Promise<void> = Promise.resolve();

  private constructor(state: SecurityState, options: DynamicSecurityOptions) {
    this.#options = options;
    this.#policy = new SecurityPolicy(state, options.verifier);
  }

  /** Reads the file, or makes it when there is none. */
  static async open(options: DynamicSecurityOptions): Promise<OpenedSecurity> {
    let read = readSecurityFile(options.file);
    if (read === undefined) {
      const mistakes = await createFirstFile(options.file, options, options.log);
      if (mistakes.length > 0) return { security: undefined, mistakes, warnings: [] };
      read = readSecurityFile(options.file)!;
    }
    const { state, mistakes, warnings } = read;
    const security = mistakes.length > 0 ? undefined : new DynamicSecurity(state, options);
    return { security, mistakes, warnings };
  }

  get policy(): Policy {
    return this.#policy;
  }

  /**
   * Does what a request asks and answers once, with the payload for the client. `payload` is borrowed
   * until this returns.
   */
  handle(payload: Uint8Array, from: Identity, answer: (payload: string) => void): void {
    const request = readRequest(payload);
    this.#last = this.#last.then(() => this.#serve(request, from, answer)).catch((error) =>
      this.#options.log("error", `Error: dynsec: ${error}`)
    );
  }

  /** Resolves when all requests that came have been answered. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #serve(request: ControlRequest, from: Identity, answer: (payload: string) => void) {
    const { commands, failure } = request;
    const changes = commands.some(({ name }) => commandNamed(name)?.changes);
    const state = changes ? this.#policy.state.clone() : this.#policy.state;
    const kicks = new Kicks();
    const { connectionsOf } = this.#options;
    const context: CommandContext = { state, kicks, hashPassword, connectionsOf };
    const results: CommandResult[] = [];
    for (const command of commands) results.push(await this.#run(command, context));
    const isSaved = results.some(({ changed }) => changed) ? await this.#save(state) : true;
    const responses = results.map(({ response, changed }) =>
      changed && !isSaved ? { ...response, data: undefined, error: "Internal error" } : response
    );
    for (const { done, command, changed } of results) {
      if (done !== undefined && (isSaved || !changed)) this.#logDone(command, done, from);
    }
    if (failure !== undefined) responses.push(failure);
    answer(formatResponses(responses));
    const isConcerned = kicks.anonymous || kicks.userNames.size > 0;
    if (isSaved && isConcerned) this.#options.disconnect(kicks);
  }

  async #run(command: ControlCommand, context: CommandContext): Promise<CommandResult> {
    const { correlationData } = command;
    const refused = (error: string) => ({
      command: command.name,
      changed: false,
      response: { command: command.name, error, correlationData },
    });
    const known = commandNamed(command.name);
    if (known === undefined) return refused("Unknown command");
    try {
      const done = await known.run(context, new CommandFields(command, context.state));
      if (known.changes) context.state.changeIndex++;
      // What only tells answers in its own name, as Mosquitto does.
      const name = known.changes ? command.name : known.name;
      const response = { command: name, data: done.data, correlationData };
      return { command: known.name, changed: known.changes, done, response };
    } catch (error) {
      if (error instanceof CommandError) return refused(error.message);
      this.#options.log("error", `Error: dynsec: ${known.name}: ${error}`);
      return refused("Internal error");
    }
  }

  /** False: everything is as it was. */
  async #save(state: SecurityState): Promise<boolean> {
    try {
      await replaceFile(this.#options.file, writeState(state), "may change");
    } catch (error) {
      const why = errorText(error);
      this.#options.log("error", `Error saving Dynamic security plugin config: ${why}`);
      return false;
    }
    this.#policy.replace(state);
    this.#options.changed();
    return true;
  }

  #logDone(command: string, done: Done, from: Identity) {
    const words = [administrator(from), command, ...(done.log ?? []).map(printable)];
    this.#options.log("information", `dynsec: ${words.join(" | ")}`);
  }
}

interface CommandResult {
  readonly command: string;
  readonly changed: boolean;
  readonly done?: Done;
  readonly response: ControlResponse;
}

/** The file as it is, for a check of the configuration; undefined: there is none yet. */
export function readSecurityFile(file: string): ReadState | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const hint = errorText(error);
    const message = "Error loading Dynamic security plugin config: File is not readable.";
    const mistakes = [{ file, line: 0, message, hint }];
    return { state: new SecurityState(), mistakes, warnings: [] };
  }
  return readState(text, file);
}
