import { type CommandIo, ProcessIo } from "../access/command_io.ts";
import { explainCommand, type FindAclFiles } from "../access/explain_command.ts";
import { passwdCommand } from "../access/passwd_command.ts";
import { type Arguments, CONFIGURATION_OK, EXIT_CONFIGURATION } from "../config/arguments.ts";
import { examine } from "../config/examination.ts";
import { findingsToJson, formatFindings } from "../config/finding.ts";
import { loadArguments } from "../config/load_arguments.ts";
import { loadConfiguration } from "../config/load_configuration.ts";
import { showConfiguration, showConfigurationAsJson } from "../config/show.ts";
import { formatMistakes } from "../mistake.ts";
import { listenerName } from "../server/settings.ts";
import { permissionFlags } from "./permissions.ts";

type Command = Extract<Arguments, { action: "examine" | "show" | "passwd" | "explain" }>;

const variable = (name: string) => Deno.env.get(name);
/** What `loadArguments` takes where the command line says nothing further. */
const NOTHING = { ports: [], verbose: false, quiet: false };

/** The commands beside running: what each says goes to the standard streams. Returns the exit status. */
export async function runCommand(
  asked: Command,
  io: CommandIo = new ProcessIo(),
): Promise<number> {
  switch (asked.action) {
    case "examine":
      return examineCommand(asked, io);
    case "show":
      return showCommand(asked, io);
    case "passwd":
      return await passwdCommand(asked.words, io);
    case "explain":
      return await explainCommand(asked.words, io, aclFilesOf(asked.expandEnv));
  }
}

function examineCommand(asked: Extract<Command, { action: "examine" }>, io: CommandIo): number {
  const { file, expandEnv, json } = asked;
  const findings = examine(loadArguments({ ...NOTHING, file, expandEnv }, variable));
  const isRight = findings.every(({ severity }) => severity !== "mistake");
  if (json) io.out(findingsToJson(findings));
  else {
    io.err(formatFindings(findings));
    if (isRight) io.err(`${CONFIGURATION_OK}\n`);
  }
  return isRight ? 0 : EXIT_CONFIGURATION;
}

function showCommand(asked: Extract<Command, { action: "show" }>, io: CommandIo): number {
  const loaded = loadConfiguration(loadArguments(asked, variable));
  if ("mistakes" in loaded) {
    io.err(formatMistakes(loaded.mistakes));
    return EXIT_CONFIGURATION;
  }
  const permissions = permissionFlags(loaded.configuration, asked);
  const show = asked.json ? showConfigurationAsJson : showConfiguration;
  io.out(show(loaded.configuration, permissions, asked));
  return 0;
}

/** The ACL files of a configuration: one for all listeners, or one for each. */
function aclFilesOf(expandEnv: boolean): FindAclFiles {
  return (file) => {
    const loaded = loadConfiguration(loadArguments({ ...NOTHING, file, expandEnv }, variable));
    if ("mistakes" in loaded) return loaded;
    const { listeners, global } = loaded.configuration;
    return {
      files: listeners.some(({ hasOwnAccess }) => hasOwnAccess)
        ? listeners.map((listener) => ({ listener: listenerName(listener), ...pathOf(listener) }))
        : [pathOf(global)],
    };
  };
}

function pathOf({ aclFile }: { readonly aclFile: string }): { path?: string } {
  return aclFile === "" ? {} : { path: aclFile };
}
