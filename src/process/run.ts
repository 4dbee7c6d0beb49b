import { type Arguments, EXIT_CONFIGURATION } from "../config/arguments.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Loaded } from "../config/load_configuration.ts";
import { errorText } from "../error_text.ts";
import type { Log } from "../log.ts";
import { formatMistakes } from "../mistake.ts";
import { PluginError } from "../plugins/plugins.ts";
import { AccessFileError } from "../server/access_files.ts";
import { ListenError } from "../server/listen_error.ts";
import { type LogValues, openLog } from "../server/open_log.ts";
import { Server } from "../server/server.ts";
import { StoreError } from "../store/store.ts";
import { isDaemon, prepareDaemon } from "../system/daemon.ts";
import { raiseFileLimit } from "../system/file_limit.ts";
import { KeyLog } from "../system/key_log.ts";
import { PidFile } from "../system/pid_file.ts";
import { ServiceManager } from "../system/service_manager.ts";
import { installSignals } from "../system/signals.ts";
import { StandardStream } from "../system/standard_stream.ts";
import { VERSION } from "../version.ts";
import { Privileges, PrivilegesError } from "./privileges.ts";
import { treeText } from "./tree_text.ts";

/** A listener or the store could not be opened. */
const EXIT_START = 1;
/** A plugin cannot be had. */
const EXIT_PLUGIN = 13;
/** Nothing more can be kept: the supervisor is to start the broker again. */
const EXIT_FATAL = 70;

/** What is wrong with a start beside its configuration, store and ports. */
class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Runs the broker as this process, until a signal ends it. Opened is first what needs the rights of root:
 * log, ports, store and pid file; then they are dropped; then clients are served. Returns the exit status.
 *
 * @param load reads the same configuration anew
 */
export async function run(
  asked: Extract<Arguments, { action: "run" }>,
  configuration: Configuration,
  load: () => Loaded,
): Promise<number> {
  const broker = new Process(asked, configuration, load);
  try {
    return await broker.run();
  } catch (error) {
    if (error instanceof PluginError || error instanceof AccessFileError) {
      tell(formatMistakes(error.mistakes).trimEnd());
      const isOfPlugins = error instanceof PluginError || error.isOfPlugins;
      return isOfPlugins ? EXIT_PLUGIN : EXIT_CONFIGURATION;
    }
    if (error instanceof StoreError) tell(`Error: ${error.message}`);
    else if (error instanceof ListenError) tell(`Error: ${error.message}`);
    else if (error instanceof StartError || error instanceof PrivilegesError) tell(error.message);
    else throw error;
    const isOfConfiguration = error instanceof StoreError ||
      error instanceof PrivilegesError && error.isOfConfiguration;
    return isOfConfiguration ? EXIT_CONFIGURATION : EXIT_START;
  } finally {
    broker.close();
  }
}

class Process {
  readonly #asked: Extract<Arguments, { action: "run" }>;
  readonly #configuration: Configuration;
  readonly #load: () => Loaded;
  // By their names: the right to read all of the environment is not asked for.
  readonly #service = new ServiceManager({
    NOTIFY_SOCKET: Deno.env.get("NOTIFY_SOCKET"),
    WATCHDOG_USEC: Deno.env.get("WATCHDOG_USEC"),
    WATCHDOG_PID: Deno.env.get("WATCHDOG_PID"),
  });
  #log: Log | null = null;
  #pidFile: PidFile | null = null;
  #keyLog: KeyLog | null = null;
  #removeSignals = () => {};

  constructor(
    asked: Extract<Arguments, { action: "run" }>,
    configuration: Configuration,
    load: () => Loaded,
  ) {
    this.#asked = asked;
    this.#configuration = configuration;
    this.#load = load;
  }

  /** @throws {PluginError}, {AccessFileError}, {StoreError}, {ListenError}, {PrivilegesError} or {StartError} */
  async run(): Promise<number> {
    const { file } = this.#asked;
    const configuration = this.#configuration;
    const daemonIsReady = isDaemon() ? prepareDaemon() : null;
    setUmask();
    const openFiles = raiseFileLimit();
    const privileges = Privileges.choose(configuration, file);
    const openLogOf = (values: LogValues) =>
      openLog(values, { openFile: privileges.openFile, tell });
    const { log, logTopics } = openLogOf(configuration.global);
    this.#log = log;
    let end: (status: number) => void;
    const ended = new Promise<number>((resolve) => end = resolve);
    let server: Server | null = null;
    this.#removeSignals = installSignals({
      stop: () => end(0),
      save: () => server?.save(),
      reload: () =>
        void this.#service.reloading(async () => {
          const reloading = server?.reload();
          if (reloading === null) log.reopen();
          try {
            await reloading;
          } catch (error) {
            server!.broker.fault(error, "reloading");
          }
        }),
      reopenLogs: () => log.reopen(),
      printTree: () => server === null ? undefined : printTree(server),
    });
    if (privileges.warning !== undefined) log.log("warning", privileges.warning);
    server = await Server.start({
      configuration,
      hooks: {},
      log,
      logTopics,
      observer: null,
      load: file === undefined ? null : this.#load,
      openLog: openLogOf,
      keylog: this.#openKeyLog(),
      portsOpened: (storeDirectory) => {
        this.#writePidFile();
        const warning = privileges.prepare(storeDirectory);
        if (warning !== null) log.log("warning", warning);
      },
      opened: (storeDirectory) => privileges.drop(storeDirectory),
      onFatal: (error) => {
        log.log("error", `Error: ${error.message}`);
        log.close();
        Deno.exit(EXIT_FATAL);
      },
    });
    log.log(
      "information",
      file === undefined ? "Using default config." : `Config loaded from ${file}.`,
    );
    if (openFiles !== null) {
      log.log("information", `Up to ${openFiles} files and connections can be open.`);
    }
    log.log("information", `sabethes version ${VERSION} running`);
    daemonIsReady?.();
    this.#service.ready();
    const status = await ended;
    this.#service.stopping();
    await server.stop();
    return status;
  }

  close(): void {
    this.#removeSignals();
    this.#service.close();
    this.#keyLog?.close();
    const problem = this.#pidFile?.remove() ?? null;
    if (problem !== null) this.#log?.log("warning", `Warning: the pid file stays: ${problem}`);
    this.#log?.close();
  }

  /** @throws {StartError} */
  #openKeyLog(): ((line: string) => void) | null {
    const path = this.#asked.tlsKeylog;
    if (path === undefined) return null;
    try {
      const keyLog = this.#keyLog = KeyLog.open(path);
      this.#log!.log("warning", `Warning: TLS secrets are written to ${path}.`);
      return (line) => keyLog.write(line);
    } catch (error) {
      throw new StartError(`Error: --tls-keylog: ${errorText(error)}`);
    }
  }

  #writePidFile() {
    const { pidFile } = this.#configuration.global;
    if (pidFile === "") return;
    try {
      this.#pidFile = PidFile.write(pidFile);
    } catch (error) {
      const text = errorText(error);
      throw new StartError(`Error: Unable to write pid file ${pidFile}: ${text}`);
    }
  }
}

/** UMASK_SET, in octal. @throws {StartError} */
function setUmask() {
  const text = Deno.env.get("UMASK_SET");
  if (text === undefined || text === "") return;
  if (!/^[0-7]{1,4}$/.test(text)) throw new StartError(`Error: Invalid UMASK_SET (${text}).`);
  Deno.umask(parseInt(text, 8));
}

function printTree(server: Server) {
  const stdout = new StandardStream("stdout");
  for (const line of treeText(server.broker.tree)) stdout.write("information", line);
}

/** For whoever started the broker, whatever the log is. */
function tell(text: string): void {
  new StandardStream("stderr").write("error", text);
}
