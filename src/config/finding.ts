import { formatMistakes, type Mistake, placeText } from "../mistake.ts";

/** What an examination has found: a mistake keeps the broker from starting, the others do not. */
export interface Finding extends Mistake {
  readonly severity: "mistake" | "warning" | "notice";
}

/** For people, and for tools that look for Mosquitto's words. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map((finding) =>
    finding.severity === "mistake" ? formatMistakes([finding]) : formatRemark(finding)
  ).join("");
}

/** For programs: `{"ok": …, "findings": [{"severity", "message", "file", "line", …}]}`. */
export function findingsToJson(findings: readonly Finding[]): string {
  const ok = findings.every(({ severity }) => severity !== "mistake");
  return `${JSON.stringify({ ok, findings }, null, 2)}\n`;
}

function formatRemark(finding: Finding): string {
  const { severity, message, hint, column } = finding;
  const place = finding.file === ""
    ? ""
    : ` (${placeText(finding)}${column === undefined ? "" : `:${column}`})`;
  const title = severity === "warning" ? "Warning" : "Notice";
  return `${title}: ${message}${place}\n${hint === undefined ? "" : `  ${hint}\n`}`;
}
