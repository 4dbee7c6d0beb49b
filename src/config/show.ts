import type { FileArguments } from "./arguments.ts";
import type { Configuration } from "./configuration.ts";
import { configurationEntries } from "./entries.ts";

/** The configuration in force for people: `name value`, aligned with where each comes from. */
export function showConfiguration(
  configuration: Configuration,
  permissions: readonly string[],
  asked: FileArguments,
): string {
  const entries = configurationEntries(configuration);
  const lines = entries.map(({ name, text, origin }) => [`${name} ${text}`.trimEnd(), origin]);
  const width = Math.min(60, Math.max(...lines.map(([setting]) => setting.length)));
  return [
    ...lines.map(([setting, origin]) => `${setting.padEnd(width)}  # ${origin}`),
    ...configuration.notices.map((notice) => `# ${notice}`),
    "",
    `# The narrowest permissions that it runs with:`,
    commandLine(permissions, asked).map(quoted).join(" "),
    "",
  ].join("\n");
}

/** The same for programs. */
export function showConfigurationAsJson(
  configuration: Configuration,
  permissions: readonly string[],
  asked: FileArguments,
): string {
  const values = configurationEntries(configuration).map(({ name, value, origin }) => ({
    name,
    value,
    origin,
  }));
  const { notices } = configuration;
  return `${
    JSON.stringify({ values, notices, command: commandLine(permissions, asked) }, null, 2)
  }\n`;
}

function commandLine(permissions: readonly string[], asked: FileArguments): string[] {
  const { file, ports, verbose, quiet, expandEnv } = asked;
  return [
    ...["deno", "run", "--no-prompt", ...permissions, mainModule()],
    ...(file === undefined ? [] : ["-c", file]),
    ...ports.flatMap((port) => ["-p", String(port)]),
    ...(verbose ? ["-v"] : []),
    ...(quiet ? ["-q"] : []),
    ...(expandEnv ? ["--expand-env"] : []),
  ];
}

function mainModule(): string {
  const { mainModule } = Deno;
  return mainModule.startsWith("file://") ? decodeURIComponent(mainModule.slice(7)) : mainModule;
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
