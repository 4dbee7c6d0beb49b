import { loadAccessFile } from "../access/access_file.ts";
import type { Parsed } from "../access/access_file.ts";
import { parseAclFile } from "../access/acl_file.ts";
import { AclPolicy } from "../access/acl_policy.ts";
import { parsePasswordFile } from "../access/password_file.ts";
import { PasswordPolicy } from "../access/password_policy.ts";
import type { PasswordVerifier } from "../access/password_verifier.ts";
import type { Policy } from "../access/policy.ts";
import type { Security } from "../access/policy_access.ts";
import { parsePskFile, type PskKeys } from "../access/psk_file.ts";
import type { Configuration } from "../config/configuration.ts";
import type { PluginSection } from "../config/options.ts";
import { pluginKind, pluginOption } from "../config/plugin_kind.ts";
import { ConfigurationError, type Mistake, warningText } from "../mistake.ts";

/** The access files that a configuration names, as policies. */
export interface AccessFiles {
  /** By the listener's number: the keys of its `psk_file`. */
  readonly pskKeys: readonly PskKeys[];
  /** By the listener's number, and last those of all: the policies of files, passwords before rules. */
  readonly listeners: readonly (readonly Policy[])[];
  /** Of plugins whose work is a file. */
  readonly plugins: ReadonlyMap<PluginSection, Policy>;
  /** Lines for the log. */
  readonly warnings: readonly string[];
}

/** Everything that is wrong with the files. */
export interface AccessMistakes {
  readonly mistakes: readonly Mistake[];
  /** All of them are in files of plugins. */
  readonly isOfPlugins: boolean;
}

/** What policies from files need. */
export interface AccessFileServices {
  readonly verifier: PasswordVerifier;
  notice(text: string): void;
}

/**
 * Reads all access files at once, so that every mistake in any of them is found and nothing is in force
 * before all are right.
 */
export function readAccessFiles(
  { listeners, global, plugins }: Configuration,
  services: AccessFileServices,
): AccessFiles | AccessMistakes {
  const mistakes: Mistake[] = [];
  const warnings: string[] = [];
  const policies = new Map<string, Policy | null>();
  /** One policy for each file, however many listeners it holds for. */
  const policyOf = <T>(
    option: "password_file" | "acl_file",
    path: string,
    parse: (bytes: Uint8Array, path: string) => Parsed<T>,
    make: (value: T) => Policy,
  ): Policy | null => {
    const key = `${option} ${path}`;
    const known = policies.get(key);
    if (known !== undefined) return known;
    const parsed = loadAccessFile(option, path, parse);
    mistakes.push(...parsed.mistakes);
    warnings.push(...parsed.warnings.map(warningText));
    const policy = parsed.mistakes.length > 0 ? null : make(parsed.value);
    policies.set(key, policy);
    return policy;
  };
  const refuseHopelessSubscriptions = global.aclRefuseHopelessSubscriptions;
  const notice = (text: string) => services.notice(text);
  const passwordsOf = (path: string) =>
    policyOf(
      "password_file",
      path,
      parsePasswordFile,
      (entries) => new PasswordPolicy(entries, services.verifier),
    );
  const aclOf = (path: string) =>
    policyOf(
      "acl_file",
      path,
      parseAclFile,
      (acl) => new AclPolicy(acl, { file: path, refuseHopelessSubscriptions, notice }),
    );
  const byListener = [...listeners, global].map(({ passwordFile, aclFile }) => {
    const found: (Policy | null)[] = [];
    if (passwordFile !== "") found.push(passwordsOf(passwordFile));
    if (aclFile !== "") found.push(aclOf(aclFile));
    return found.filter((policy) => policy !== null);
  });
  const keys = new Map<string, PskKeys>([["", new Map()]]);
  const pskKeys = listeners.map(({ pskFile }) => {
    const known = keys.get(pskFile);
    if (known !== undefined) return known;
    const parsed = loadAccessFile("psk_file", pskFile, parsePskFile);
    mistakes.push(...parsed.mistakes);
    warnings.push(...parsed.warnings.map(warningText));
    keys.set(pskFile, parsed.value);
    return parsed.value;
  });
  const isOfPlugins = mistakes.length === 0;
  const ofPlugins = new Map<PluginSection, Policy>();
  for (const section of plugins) {
    const kind = pluginKind(section.path);
    const policy = kind === "password-file"
      ? passwordsOf(pluginOption(section, "password_file") ?? "")
      : kind === "acl-file"
      ? aclOf(pluginOption(section, "acl_file") ?? "")
      : null;
    if (policy !== null) ofPlugins.set(section, policy);
  }
  return mistakes.length > 0
    ? { mistakes, isOfPlugins }
    : { listeners: byListener, plugins: ofPlugins, pskKeys, warnings };
}

/** The policies that are asked before the files of a listener, by its number: of hooks and plugins. */
export type FirstPolicies = (
  listener: number,
  ofFile: (section: PluginSection) => Policy | undefined,
) => readonly Policy[];

/**
 * Who decides about each listener's clients, and last about those who came by none: hooks and plugins
 * first, then the files.
 */
export function securitiesOf(
  { listeners, global }: Configuration,
  files: AccessFiles,
  first: FirstPolicies,
): Security[] {
  return [...listeners, global].map(({ allowAnonymous }, number) => ({
    allowAnonymous,
    policies: [
      ...first(number, (section) => files.plugins.get(section)),
      ...files.listeners[number],
    ],
  }));
}

/** A file that an option names cannot be used. */
export class AccessFileError extends ConfigurationError {
  override readonly name = "AccessFileError";
  /** All mistakes are in files of plugins. */
  readonly isOfPlugins: boolean;

  constructor({ mistakes, isOfPlugins }: AccessMistakes) {
    super(mistakes);
    this.isOfPlugins = isOfPlugins;
  }
}
