import { loadAccessFile, type Parsed } from "../access/access_file.ts";
import { parseAclFile } from "../access/acl_file.ts";
import { parsePasswordFile } from "../access/password_file.ts";
import { parsePskFile } from "../access/psk_file.ts";
import type { Place } from "../mistake.ts";
import type { Examined } from "./examination.ts";

type Parser = (bytes: Uint8Array, path: string) => Parsed<unknown>;

const PARSERS: readonly (readonly ["password_file" | "acl_file" | "psk_file", Parser])[] = [
  ["password_file", parsePasswordFile],
  ["acl_file", parseAclFile],
  ["psk_file", parsePskFile],
];

/** Reads every password, ACL and PSK file that is named, once each. */
export function examineAccessFiles({ check, report }: Examined): void {
  const seen = new Set<string>();
  for (const section of [check.global, ...check.listeners]) {
    for (const [option, parse] of PARSERS) {
      const path = section.values.get(option) as string | undefined;
      const place = section.places.get(option);
      if (path === undefined || place === undefined || seen.has(`${option} ${path}`)) continue;
      seen.add(`${option} ${path}`);
      const { mistakes, warnings } = loadAccessFile(option, path, parse);
      // What concerns the file as a whole stands where the file is named.
      const placed = (own: Place) => own.line === 0 ? place : own;
      for (const { message, hint, ...own } of mistakes) {
        report("mistake", placed(own), message, hint);
      }
      for (const { message, hint, ...own } of warnings) {
        report("warning", placed(own), message, hint);
      }
    }
  }
}
