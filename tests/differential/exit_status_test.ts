/** With which exit status Mosquitto and Sabethes refuse a configuration, or that they run. */
import assert from "node:assert/strict";
import { freePort, within } from "../support/broker_process.ts";
import { MOSQUITTO, whyNoMosquitto } from "./broker_under_test.ts";
import { passwordFile } from "./scenario.ts";

/** An exit status; "runs": it had to be ended. */
type Outcome = number | "runs";

interface Row {
  readonly about: string;
  /** Lines of the configuration behind `listener {port} 127.0.0.1`, or other arguments. */
  readonly given: readonly string[] | { readonly args: readonly string[] };
  readonly outcome: Outcome;
  /** Mosquitto 2.0.11's, where it is another, and why ours is right. */
  readonly theirs?: readonly [Outcome, reason: string];
  readonly files?: Readonly<Record<string, string>>;
}

const PROGRAM = new URL("../../mod.ts", import.meta.url).pathname;
const AT_ONCE = 4;
const NEW = "The option is newer.";
const BAD_FILE = "2.1 refuses such files as well.";

const rows: readonly Row[] = [
  { about: "nothing wrong", given: ["allow_anonymous true"], outcome: "runs" },
  { about: "an unknown option", given: ["nonsense 1"], outcome: 3 },
  { about: "an option in capitals", given: ["Allow_anonymous true"], outcome: 3 },
  { about: "no value", given: ["allow_anonymous"], outcome: 3 },
  { about: "a value of blanks", given: ["password_file   "], outcome: 3 },
  { about: "neither true nor false", given: ["allow_anonymous maybe"], outcome: 3 },
  {
    about: "no number",
    given: ["max_connections many"],
    outcome: 3,
    theirs: ["runs", "2.0.11 takes any text for 0."],
  },
  { about: "a port of no number", given: ["listener x"], outcome: 3 },
  { about: "a port too large", given: ["listener 65536"], outcome: 3 },
  { about: "a negative port", given: ["listener -1"], outcome: 3 },
  { about: "a listener without a port", given: ["listener"], outcome: 3 },
  { about: "port 0 without a path", given: ["listener 0"], outcome: 3 },
  { about: "a QoS of 3", given: ["max_qos 3"], outcome: 3 },
  { about: "a packet size below 20", given: ["max_packet_size 19"], outcome: 3 },
  { about: "too many in flight", given: ["max_inflight_messages 65536"], outcome: 3 },
  { about: "a keep alive too long", given: ["max_keepalive 65536"], outcome: 3 },
  { about: "too many aliases", given: ["max_topic_alias 65536"], outcome: 3 },
  { about: "a message size below 0", given: ["message_size_limit -1"], outcome: 3 },
  { about: "a message size too large", given: ["message_size_limit 268435456"], outcome: 3 },
  { about: "a memory limit below 0", given: ["memory_limit -1"], outcome: 3 },
  { about: "an interval below 0", given: ["sys_interval -1"], outcome: 3 },
  { about: "an interval too long", given: ["sys_interval 65536"], outcome: 3 },
  { about: "an expiry without a unit", given: ["persistent_client_expiration 5"], outcome: 3 },
  { about: "an expiry of an unknown unit", given: ["persistent_client_expiration 5q"], outcome: 3 },
  { about: "an expiry of nothing", given: ["persistent_client_expiration 0d"], outcome: 3 },
  { about: "a mount point with a wildcard", given: ["mount_point a/#"], outcome: 3 },
  { about: "an unknown protocol", given: ["protocol carrier-pigeon"], outcome: 3 },
  { about: "an unknown destination of the log", given: ["log_dest nowhere"], outcome: 3 },
  { about: "an unknown type of log line", given: ["log_type gossip"], outcome: 3 },
  { about: "an unknown facility", given: ["log_facility 8"], outcome: 3 },
  {
    about: "a setting given twice",
    given: ["persistence_file a", "persistence_file b"],
    outcome: 3,
  },
  { about: "a directory that is not there", given: ["include_dir {directory}/none"], outcome: 3 },
  {
    about: "a mistake in an included file",
    given: ["include_dir {directory}"],
    files: { "a.conf": "nonsense 1\n" },
    outcome: 3,
  },
  { about: "a bridge without an address", given: ["connection b", "topic #"], outcome: 3 },
  { about: "a bridge without a topic", given: ["connection b", "address 127.0.0.1"], outcome: 3 },
  { about: "a bridge option without a bridge", given: ["try_private true"], outcome: 3 },
  { about: "two bridges of a name", given: ["connection b", "connection b"], outcome: 3 },
  {
    about: "a direction that is none",
    given: ["connection b", "address 127.0.0.1", "topic # up"],
    outcome: 3,
  },
  {
    about: "a key without its certificate",
    given: ["keyfile {directory}/key"],
    outcome: 3,
    theirs: ["runs", "2.1 refuses it as well."],
  },
  { about: "a plugin's option without a plugin", given: ["plugin_opt_x 1"], outcome: 3 },
  { about: "a plugin that is not there", given: ["plugin {directory}/none.so"], outcome: 13 },
  {
    about: "certificates that are not there",
    given: ["certfile {directory}/crt", "keyfile {directory}/key"],
    outcome: 1,
  },
  { about: "an address that is nobody's", given: ["listener {port2} 192.0.2.1"], outcome: 1 },
  { about: "a port that is taken", given: ["listener {port} 127.0.0.1"], outcome: 1 },
  { about: "an account that is nobody's", given: ["user nobody-of-that-name"], outcome: 3 },
  {
    about: "a password file that is not there",
    given: ["password_file {directory}/none"],
    outcome: 3,
    theirs: [13, "2.1 ends with 3, as for what is in such files."],
  },
  {
    about: "a rule file that is not there",
    given: ["acl_file {directory}/none"],
    outcome: 3,
    theirs: [13, "2.1 ends with 3, as for what is in such files."],
  },
  {
    about: "a rule that is none",
    given: ["acl_file {directory}/acl"],
    files: { acl: "topic sometimes #\n" },
    outcome: 3,
  },
  {
    about: "a password that is not hashed",
    given: ["password_file {directory}/passwords"],
    files: { passwords: "joe:secret\n" },
    outcome: 3,
    theirs: ["runs", BAD_FILE],
  },
  {
    about: "a password file as it should be",
    given: ["password_file {directory}/passwords"],
    files: { passwords: `# people\n\n${passwordFile({ joe: "secret" })}` },
    outcome: "runs",
  },
  {
    about: "options that were dropped",
    given: ["retry_interval 20", "allow_anonymous true"],
    outcome: "runs",
  },
  {
    about: "an option that 2.0 does not know any more",
    given: ["store_clean_interval 10"],
    outcome: "runs",
    theirs: [3, "A file of 1.1 is to load, with a warning."],
  },
  {
    about: "an option of 2.1",
    given: ["global_max_clients 5"],
    outcome: "runs",
    theirs: [3, NEW],
  },
  { about: "help", given: { args: ["-h"] }, outcome: 0, theirs: [3, "2.1 ends with 0 as well."] },
  { about: "the version", given: { args: ["--version"] }, outcome: 0, theirs: [3, NEW] },
  { about: "an unknown argument", given: { args: ["--nonsense"] }, outcome: 3 },
  { about: "-c without a file", given: { args: ["-c"] }, outcome: 3 },
  { about: "-p without a port", given: { args: ["-p"] }, outcome: 3 },
  { about: "-p with no number", given: { args: ["-p", "x"] }, outcome: 3 },
  { about: "-p 0", given: { args: ["-p", "0"] }, outcome: 3 },
  { about: "-p 65536", given: { args: ["-p", "65536"] }, outcome: 3 },
  { about: "a file that is not there", given: { args: ["-c", "{directory}/none"] }, outcome: 3 },
  { about: "a directory for a file", given: { args: ["-c", "{directory}"] }, outcome: 3 },
  { about: "--test-config without a file", given: { args: ["--test-config"] }, outcome: 3 },
];

async function outcomeOf(command: readonly string[], row: Row): Promise<Outcome> {
  const directory = Deno.makeTempDirSync({ prefix: "status-" });
  const fill = (text: string) =>
    text.replaceAll("{directory}", directory).replaceAll("{port}", port).replaceAll(
      "{port2}",
      other,
    );
  const port = String(freePort()), other = String(freePort());
  try {
    for (const [name, text] of Object.entries(row.files ?? {})) {
      Deno.writeTextFileSync(`${directory}/${name}`, text, { mode: 0o600 });
    }
    let args = ["-c", `${directory}/broker`];
    if ("args" in row.given) args = row.given.args.map(fill);
    else {
      const lines = ["user root", "listener {port} 127.0.0.1", ...row.given, ""];
      Deno.writeTextFileSync(`${directory}/broker`, fill(lines.join("\n")));
    }
    return await run([...command, ...args]);
  } catch (error) {
    throw new Error(row.about, { cause: error });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function run([program, ...args]: readonly string[]): Promise<Outcome> {
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "", runs = false;
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += text;
      if (runs || !/ running\n/.test(log)) continue;
      runs = true;
      // Not SIGTERM, which Mosquitto forgets that soon after its start.
      child.kill("SIGKILL");
    }
  })();
  try {
    const { code } = await within(child.status, () => `no end of it:\n${log}`);
    return runs ? "runs" : code;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    await reading;
  }
}

/** What differs from what the table says. */
async function surprises(
  command: readonly string[],
  expected: (row: Row) => Outcome,
): Promise<string[]> {
  const found: string[] = [];
  const waiting = [...rows];
  const work = async () => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      const outcome = await outcomeOf(command, row);
      if (outcome !== expected(row)) found.push(`${row.about}: ${outcome}, not ${expected(row)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

Deno.test("wrong configurations and arguments end with Mosquitto's exit status", async () => {
  const command = [Deno.execPath(), "run", "-A", "--cached-only", PROGRAM];
  assert.deepEqual(await surprises(command, ({ outcome }) => outcome), []);
});

const obstacle = whyNoMosquitto();

Deno.test({
  name: `Mosquitto's exit status is that of the table${obstacle === null ? "" : ` (${obstacle})`}`,
  ignore: obstacle !== null,
  fn: async () => {
    const expected = ({ outcome, theirs }: Row) => theirs?.[0] ?? outcome;
    assert.deepEqual(await surprises([MOSQUITTO], expected), []);
  },
});

Deno.test("a row that says where Mosquitto differs says a difference", () => {
  for (const { about, outcome, theirs } of rows) {
    assert.ok(theirs === undefined || theirs[0] !== outcome, about);
  }
});
