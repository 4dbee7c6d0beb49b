import type { Place } from "../mistake.ts";
import { changeNotices } from "./changes.ts";
import type { Check } from "./check.ts";
import type { Configuration } from "./configuration.ts";
import { examineAccessFiles } from "./examined_access.ts";
import { examineBridgeCertificates, examineListenerCertificates } from "./examined_certificates.ts";
import { examineListeners } from "./examined_listeners.ts";
import { examinePaths } from "./examined_paths.ts";
import { examinePlugins } from "./examined_plugins.ts";
import type { Finding } from "./finding.ts";
import { type LoadArguments, readConfiguration } from "./load_configuration.ts";

/** A configuration that is looked at before it is used. */
export interface Examined {
  readonly check: Check;
  readonly configuration: Configuration;
  /** Where an option of the whole broker stands, or the place of the file if it is not given. */
  readonly placeOf: (option: string) => Place;
  readonly report: (
    severity: Finding["severity"],
    place: Place,
    message: string,
    hint?: string,
  ) => void;
}

/**
 * Everything that can be known of a configuration without starting it: the mistakes of all its files, of
 * the access files and certificates that it names, and what else may surprise whoever wrote it.
 *
 * Nothing is written or opened for writing. Reads what the options name.
 */
export function examine(asked: LoadArguments): Finding[] {
  const { check, configuration } = readConfiguration(asked);
  const findings: Finding[] = check.mistakes.map((mistake) => ({
    severity: "mistake",
    ...mistake,
  }));
  const file = asked.file ?? "";
  const examined: Examined = {
    check,
    configuration,
    placeOf: (option) => check.global.places.get(option) ?? { file, line: 0 },
    report(severity, place, message, hint) {
      const shown = check.filledIn.hide(place, message);
      const finding = { severity, ...place, message: shown };
      findings.push(
        hint === undefined ? finding : { ...finding, hint: check.filledIn.hide(place, hint) },
      );
    },
  };
  for (const { text, place = { file, line: 0 }, hint } of check.notices) {
    const isWarning = text.startsWith("Warning: ");
    const message = text.replace(/^Warning: /, "");
    examined.report(isWarning ? "warning" : "notice", place, message, hint);
  }
  examineAccessFiles(examined);
  for (const listener of check.listeners) examineListenerCertificates(listener, examined);
  for (const bridge of check.bridges) examineBridgeCertificates(bridge, examined);
  examineListeners(examined);
  examinePaths(examined);
  examinePlugins(examined);
  changeNotices(examined);
  return findings;
}
