/**
 * Writes what follows from the option table: `conf/sabethes.conf`, `conf/sabethes.ini` and
 * `docs/configuration.md`. With `--check` it writes nothing and fails if they are not as they should be.
 *
 *   deno run -A tests/tools/write_conf.ts [--check]
 */
import { isGathered, type OptionRow } from "../../src/config/option_row.ts";
import {
  BRIDGE_OPTIONS,
  DROPPED_OPTIONS,
  GLOBAL_OPTIONS,
  hasValue,
  isHonoured,
  LISTENER_OPTIONS,
  PLUGIN_OPTIONS,
  REFUSED_OPTIONS,
} from "../../src/config/options.ts";

const WIDTH = 96;
const globals: readonly OptionRow[] = GLOBAL_OPTIONS.filter(isHonoured);
const listeners: readonly OptionRow[] = LISTENER_OPTIONS.filter(isHonoured);
const bridges: readonly OptionRow[] = BRIDGE_OPTIONS.filter(isHonoured);
const plugins: readonly OptionRow[] = PLUGIN_OPTIONS.filter(isHonoured);
const DIRECTIVE_EXAMPLES = new Map([
  ["include_dir", "./conf.d"],
  ["port", "1883"],
  ["bind_address", "127.0.0.1"],
  ["connection", "NAME"],
]);
/** The listener that ships, as the table has it. */
const shippedListener = listeners.find(({ name }) => name === "listener")?.shipped ?? "";

/** The files by their path in the project. */
export async function generatedFiles(): Promise<Map<string, string>> {
  return new Map([
    ["conf/sabethes.conf", confFile()],
    ["conf/sabethes.ini", iniFile()],
    ["docs/configuration.md", await format(documentation())],
  ]);
}

/** As `deno fmt` wants it. */
async function format(markdown: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--no-config", "--line-width", "100", "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  return new TextDecoder().decode((await process.output()).stdout);
}

function confFile(): string {
  const block = (row: OptionRow) => {
    const settings = row.shipped === undefined
      ? examples(row).map((value) => `#${written(row)} ${value}`)
      : [`${row.name} ${row.shipped}`];
    return [...describe(row, "#"), ...settings].join("\n");
  };
  // Mosquitto's older spelling first: what follows it would no longer belong to the listener line.
  const older = listeners.filter(({ name }) => name === "port" || name === "bind_address");
  const ofListener = [...older, ...listeners.filter((row) => !older.includes(row))];
  return [
    heading("#", "name value", "conf/sabethes.ini says the same in INI."),
    ...globals.map(block),
    ...section("#", "Plugins: what follows the line of one is its own", plugins.map(block)),
    ...section("#", "Listeners: what follows a listener line is its own", ofListener.map(block)),
    ...section("#", "Bridges: what follows a connection line is its own", bridges.map(block)),
  ].join("\n\n") + "\n";
}

function iniFile(): string {
  const [port, address] = shippedListener.split(" ");
  const shipped = new Map([["port", port], ["bind_address", address]]);
  const block = (row: OptionRow) => {
    const name = `${written(row)}${isGathered(row) ? "[]" : ""}`;
    const value = row.scope === "listener" ? shipped.get(row.name) : row.shipped;
    const settings = value === undefined
      ? examples(row).map((one) => `;${name} = ${/[#;]/.test(one) ? `"${one}"` : one}`)
      : [`${name} = ${value}`];
    return [...describe(row, ";"), ...settings].join("\n");
  };
  const ofListener = listeners.filter(({ name }) => name !== "listener").map(block);
  const ofBridge = bridges.filter(({ name }) => name !== "connection").map(block);
  return [
    heading(";", "name = value", "conf/sabethes.conf says the same in Mosquitto's language."),
    ...globals.map(block),
    ...section(";", "Plugins: what follows the line of one is its own", plugins.map(block)),
    ...section(";", "Listeners: one section each, [listener NAME] with a name of your own", [
      "[listener default]",
      ...ofListener,
    ]),
    ...section(
      ";",
      "Bridges: one section each",
      bridges.length === 0 ? [] : [";[bridge NAME]", ...ofBridge],
    ),
  ].join("\n\n") + "\n";
}

/** Blocks under a heading, if there are any. */
function section(mark: string, title: string, blocks: readonly string[]): string[] {
  return blocks.length === 0 ? [] : [`${mark} ---- ${title}. ----`, ...blocks];
}

/** The name as a file has it. */
function written(row: OptionRow): string {
  return row.name.replace("*", "KEY");
}

function heading(mark: string, form: string, twin: string): string {
  return [
    `${mark} Configuration of Sabethes: one "${form}" per line.`,
    `${mark} Every option stands here with its meaning; what is commented out shows the default,\n${mark} or how a value looks.`,
    `${mark} ${twin}`,
    `${mark} Made from the option table by tests/tools/write_conf.ts: change the table, not this.`,
  ].join("\n");
}

/** Meaning, unit and default as comment lines. */
function describe(row: OptionRow, mark: string): string[] {
  const unit = row.unit === undefined ? "" : ` Unit: ${row.unit}.`;
  const words = row.kind === "word" ? ` One of: ${row.words.join(", ")}.` : "";
  const text = `${row.meaning}${words}${unit} Default: ${defaultOf(row)}.`;
  return wrap(text, WIDTH - 2).map((line) => `${mark} ${line}`);
}

/** What is written after an option that is commented out: its default, or likely values. */
function examples(row: OptionRow): string[] {
  if (row.example !== undefined) return [row.example];
  if (!hasValue(row)) return [DIRECTIVE_EXAMPLES.get(row.name) ?? ""];
  switch (row.kind) {
    case "words":
      return [...row.default];
    case "endpoint":
      return [`PORT ${row.defaultAddress}`];
    case "duration":
      return ["14d"];
    case "versions":
      return [row.default.join(" ")];
    case "backoff":
      return [`${row.default.baseSeconds} ${row.default.capSeconds}`];
    case "int":
      // A default that is said in words is no number that could be written.
      return [String(row.defaultText === undefined ? row.default : row.minimum)];
    default:
      return [String(row.default)];
  }
}

function defaultOf(row: OptionRow): string {
  if (row.defaultText !== undefined) return row.defaultText;
  if (!hasValue(row) || row.default === null) return "none";
  if (Array.isArray(row.default)) return row.default.join(", ");
  return String(row.default);
}

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function documentation(): string {
  return `# Configuration

<!-- Made from the option table by tests/tools/write_conf.ts: change the table, not this. -->

Each option is declared once, in a table that three spellings share:

- **mosquitto.conf**, Mosquitto's language: \`max_inflight_messages 20\`, one per line, \`#\` in the first
  column begins a comment. \`conf/sabethes.conf\` shows every option.
- **INI**, for files that end in \`.ini\`: \`max_inflight_messages = 20\`, \`[listener NAME]\` for each
  listener with its \`port\` and \`bind_address\`, \`[bridge NAME]\` for each bridge, \`log_type[] = error\` for
  each value of an option that takes several. A value with \`;\`, \`#\` or quotes in it stands in quotes:
  \`topic[] = '"a b/#" out 1'\`. \`conf/sabethes.ini\` says the same as \`conf/sabethes.conf\`.
- **the embedding API**: \`createBroker({ maxInflightMessages: 20, listeners: [{ port: 1883 }] })\`.

A wrong configuration ends the program with exit status 3, with every mistake on stderr: its file, line
and column, what is wrong, and the nearest right name. No option is ignored in silence.

## Looking before it runs

- \`mod.ts -c FILE --test-config\` reads a file and those it includes, as Mosquitto does.
- \`mod.ts check-config FILE\` also reads what the options name: password, ACL and PSK files,
  certificates and their keys, directories. It warns of what will not work, such as a certificate that
  ends soon or a listener that nobody can use, and says what older names are called now and what changed
  its meaning since Mosquitto 1.x and 2.0. With \`--json\` for programs. The status is 0 if there are
  warnings only, 3 if there are mistakes.
- \`mod.ts config show -c FILE\` prints every value in force and where it comes from, without secrets, and
  the narrowest \`deno run --allow-…\` line with which this configuration runs. \`--json\`, \`-p\`, \`-v\` and
  \`-q\` as usual. Files may be replaced while the broker runs; a reload that names others needs the
  right to read them, too.

## Values from the environment and from files

With \`--expand-env\` on the command line, \`\${NAME}\` in a value is filled in from the environment and
\`\${file:PATH}\` from a file of one line, such as a mounted secret; \`$\${\` stands for \`\${\` itself. Without
that flag nothing is filled in. A name that is not set is a mistake. What was filled in is shown by no
message, and by \`config show\` as it is written.

    admin_token \${file:/run/secrets/admin_token}

## How to read the tables

"As Mosquitto" means Mosquitto 2.1. "Reload" says whether a change is meant to take effect on
SIGHUP rather than at the next start.

## The whole broker

${table(globals)}

## Listeners

A file without \`listener\`, \`port\` or \`bind_address\` is in *local only mode*: port 1883 (or those given
with \`-p\`) of 127.0.0.1 and ::1, without user names unless \`allow_anonymous false\` is set. Listener options
before any listener open the default listener, port 1883 at all addresses; in local only mode they have no
effect. Either is said in the log.

${table(listeners)}
${chapter("Bridges", BRIDGES, bridges)}${chapter("Plugins", PLUGINS, plugins)}
## Of Mosquitto 1.x, without effect

These are accepted with a warning, so that old files load.

${DROPPED_OPTIONS.map(({ name, meaning }) => `- \`${name}\`: ${meaning}`).join("\n")}

${refused()}`;
}

/** The options that are refused, if there are any. */
function refused(): string {
  if (REFUSED_OPTIONS.length === 0) return "";
  return `## Refused

These are known and refused by name, so that nobody believes a setting to hold that does not.

| option | where | meaning | why |
| --- | --- | --- | --- |
${REFUSED_OPTIONS.map(refusedLine).join("\n")}
`;
}

const BRIDGES = `A bridge is a client of another broker inside this one. In INI each has a section
\`[bridge NAME]\`.`;

const PLUGINS = `The \`plugin_opt_*\` lines belong to the plugin above them.`;

/** A table with its heading, if it has rows. */
function chapter(title: string, text: string, rows: readonly OptionRow[]): string {
  return rows.length === 0 ? "" : `\n## ${title}\n\n${text}\n\n${table(rows)}\n`;
}

function table(rows: readonly OptionRow[]): string {
  return [
    "| option | default | unit | reload | as Mosquitto | meaning |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) =>
      line([
        names(row),
        defaultOf(row),
        row.kind === "word"
          ? row.words.join(", ")
          : row.unit ?? (row.kind === "bool" ? "true, false" : ""),
        row.reloadable ? "yes" : "no",
        row.status === "own" ? "own option" : row.differs ?? "yes",
        row.meaning,
      ])
    ),
  ].join("\n");
}

function refusedLine(row: OptionRow): string {
  return line([names(row), row.scope, row.meaning, row.because ?? ""]);
}

function names(row: OptionRow): string {
  return [row.name, ...(row.aliases ?? [])].map((name) => `\`${name}\``).join(", ");
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

if (import.meta.main) {
  const root = new URL("../../", import.meta.url);
  const stale: string[] = [];
  for (const [path, text] of await generatedFiles()) {
    const url = new URL(path, root);
    if (!Deno.args.includes("--check")) {
      Deno.mkdirSync(new URL("./", url), { recursive: true });
      Deno.writeTextFileSync(url, text);
    } else if (Deno.readTextFileSync(url) !== text) stale.push(path);
  }
  if (stale.length > 0) {
    console.error(
      `Not as the option table says: ${stale.join(", ")}. Run tests/tools/write_conf.ts.`,
    );
    Deno.exit(1);
  }
}
