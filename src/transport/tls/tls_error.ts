/**
 * A certificate, key, list or peer that TLS does not accept. `message` has Mosquitto's words where it
 * has some, without "Error: ".
 */
export class TlsError extends Error {
  override readonly name = "TlsError";
  /** What the library says, the oldest first. */
  readonly details: readonly string[];
  /** Why the peer's certificate was refused; null: it was not. */
  readonly verification: string | null;
  /** What to do about it. */
  readonly hint: string | null;

  constructor(
    message: string,
    details: readonly string[] = [],
    verification: string | null = null,
    hint: string | null = null,
  ) {
    super(message);
    this.details = details;
    this.verification = verification;
    this.hint = hint;
  }

  /** The lines for the log that follow `message`, the library's as Mosquitto writes them. */
  get logLines(): string[] {
    const lines = this.details.map((text, index) => `OpenSSL Error[${index}]: ${text}`);
    if (this.verification !== null) lines.push(`Certificate refused: ${this.verification}.`);
    if (this.hint !== null) lines.push(this.hint);
    return lines;
  }
}
