import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { errorText } from "../error_text.ts";
import type { Place } from "../mistake.ts";
import { EXPIRY_WARNING_DAYS } from "../transport/tls/tls_reload.ts";
import type { Examined } from "./examination.ts";
import type { BridgeSection, ListenerSection, Section } from "./section.ts";

const SOON_MS = EXPIRY_WARNING_DAYS * 86_400_000;

/** The certificate files of a listener. */
export function examineListenerCertificates(listener: ListenerSection, examined: Examined): void {
  const isEngine = listener.values.get("tls_keyform") === "engine";
  examinePair(listener, "certfile", isEngine ? null : "keyfile", examined);
  examineAuthorities(listener, "cafile", "capath", examined);
  examineRevocations(listener, examined);
}

/** The certificate files of a bridge. */
export function examineBridgeCertificates(bridge: BridgeSection, examined: Examined): void {
  examinePair(bridge, "bridge_certfile", "bridge_keyfile", examined);
  examineAuthorities(bridge, "bridge_cafile", "bridge_capath", examined);
}

/** A certificate and its key, which must belong together. */
function examinePair(
  section: Section,
  certificateOption: string,
  keyOption: string | null,
  examined: Examined,
): void {
  const [certificate] = readCertificates(section, certificateOption, examined);
  if (keyOption === null) return;
  const key = readKey(section, keyOption, examined);
  if (certificate === undefined || key === undefined || certificate.checkPrivateKey(key)) return;
  const place = section.places.get(keyOption);
  if (place === undefined) return;
  const message =
    `The key of '${keyOption}' is not that of the certificate of '${certificateOption}'.`;
  examined.report("mistake", place, message);
}

function examineAuthorities(
  section: Section,
  fileOption: string,
  directoryOption: string,
  examined: Examined,
): void {
  readCertificates(section, fileOption, examined);
  const [directory, place] = settingOf(section, directoryOption);
  if (directory === undefined || place === undefined) return;
  try {
    if (readdirSync(directory).some((name) => /^[0-9a-f]{8}\.\d+$/.test(name))) return;
    const message = `There is no certificate named by its hash in '${directory}'.`;
    examined.report("warning", place, message, "run: openssl rehash DIRECTORY");
  } catch (error) {
    unreadable(directoryOption, directory, place, error, examined);
  }
}

function examineRevocations(section: Section, examined: Examined): void {
  const [, place] = settingOf(section, "crlfile");
  const text = readPem(section, "crlfile", examined);
  if (text === undefined || place === undefined) return;
  if (!text.includes("-----BEGIN X509 CRL-----")) {
    examined.report("mistake", place, "The file of 'crlfile' holds no list of revocations (PEM).");
  }
}

/** The certificates of a PEM file, the first one first; each that is out of date is warned of. */
function readCertificates(
  section: Section,
  option: string,
  examined: Examined,
): X509Certificate[] {
  const [, place] = settingOf(section, option);
  const text = readPem(section, option, examined);
  if (text === undefined || place === undefined) return [];
  const blocks = text.match(/-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]*-----END [^-]*-----/g) ??
    [];
  if (blocks.length === 0) {
    examined.report("mistake", place, `The file of '${option}' holds no certificate (PEM).`);
  }
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      const certificate = new X509Certificate(block);
      examineDates(certificate, option, place, examined);
      certificates.push(certificate);
    } catch (error) {
      const message = `Certificate ${index + 1} in the file of '${option}' cannot be read.`;
      examined.report("mistake", place, message, errorText(error));
    }
  }
  return certificates;
}

function examineDates(
  certificate: X509Certificate,
  option: string,
  place: Place,
  { report }: Examined,
): void {
  const nowMs = Date.now();
  const [fromMs, toMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const name = `The certificate '${certificate.subject.replaceAll("\n", ", ")}' of '${option}'`;
  if (toMs < nowMs) report("warning", place, `${name} has expired on ${certificate.validTo}.`);
  else if (fromMs > nowMs) {
    report("warning", place, `${name} is not valid before ${certificate.validFrom}.`);
  } else if (toMs < nowMs + SOON_MS) {
    report("warning", place, `${name} expires soon, on ${certificate.validTo}.`);
  }
}

function readKey(section: Section, option: string, examined: Examined): KeyObject | undefined {
  const [, place] = settingOf(section, option);
  const text = readPem(section, option, examined);
  if (text === undefined || place === undefined) return undefined;
  if (/ENCRYPTED/.test(text)) {
    const message = `The key of '${option}' is encrypted: there is nobody to ask for its password.`;
    examined.report("mistake", place, message);
    return undefined;
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    const message = `The file of '${option}' holds no private key (PEM) that can be read.`;
    examined.report("mistake", place, message, errorText(error));
    return undefined;
  }
}

function readPem(section: Section, option: string, examined: Examined): string | undefined {
  const [path, place] = settingOf(section, option);
  if (path === undefined || place === undefined) return undefined;
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    unreadable(option, path, place, error, examined);
    return undefined;
  }
}

function unreadable(
  option: string,
  path: string,
  place: Place,
  error: unknown,
  { report }: Examined,
): void {
  report("mistake", place, `Unable to open ${option} "${path}".`, errorText(error));
}

function settingOf(
  section: Section,
  option: string,
): [string | undefined, Place | undefined] {
  return [section.values.get(option) as string | undefined, section.places.get(option)];
}
