import { loadAccessFile } from "./access/access_file.ts";
import type { Parsed } from "./access/access_file.ts";
import { parseAclFile } from "./access/acl_file.ts";
import { AclPolicy } from "./access/acl_policy.ts";
import { parsePasswordFile } from "./access/password_file.ts";
import { PasswordPolicy } from "./access/password_policy.ts";
import type { PasswordVerifier } from "./access/password_verifier.ts";
import type { Policy } from "./access/policy.ts";
import type { Security } from "./access/policy_access.ts";
import type { Configuration } from "./config/configuration.ts";
import { formatMistakes, type Mistake } from "./mistake.ts";

/** The access files that a configuration names, as policies. */
export interface AccessFiles {
  /** By the listener's number, and last those of all: the policies of files, passwords before rules. */
  readonly listeners: readonly (readonly Policy[])[];
  /** Lines for the log. */
  readonly warnings: readonly string[];
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
  { listeners, global }: Configuration,
  services: AccessFileServices,
): AccessFiles | { readonly mistakes: readonly Mistake[] } {
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
  const byListener = [...listeners, global].map(({ passwordFile, aclFile }) => {
    const found: (Policy | null)[] = [];
    if (passwordFile !== "") {
      found.push(policyOf(
        "password_file",
        passwordFile,
        parsePasswordFile,
        (entries) => new PasswordPolicy(entries, services.verifier),
      ));
    }
    if (aclFile !== "") {
      found.push(policyOf(
        "acl_file",
        aclFile,
        parseAclFile,
        (acl) => new AclPolicy(acl, { file: aclFile, refuseHopelessSubscriptions, notice }),
      ));
    }
    return found.filter((policy) => policy !== null);
  });
  return mistakes.length > 0 ? { mistakes } : { listeners: byListener, warnings };
}

/**
 * Who decides about each listener's clients, and last about those who came by none: hooks and plugins
 * first, then the files.
 */
export function securitiesOf(
  { listeners, global }: Configuration,
  files: AccessFiles,
  first: (listener: number) => readonly Policy[],
): Security[] {
  return [...listeners, global].map(({ allowAnonymous }, number) => ({
    allowAnonymous,
    policies: [...first(number), ...files.listeners[number]],
  }));
}

/** A file that an option names cannot be used. The message lists every mistake. */
export class AccessFileError extends Error {
  override readonly name = "AccessFileError";
  constructor(readonly mistakes: readonly Mistake[]) {
    super(formatMistakes(mistakes).replace(/^Error: /, "").trimEnd());
  }
}

function warningText(warning: Mistake): string {
  const place = warning.line === 0 ? warning.file : `${warning.file}:${warning.line}`;
  const hint = warning.hint === undefined ? "" : `; ${warning.hint}`;
  return `Warning: ${warning.message} (${place}${hint})`;
}
