/** What is said of whatever was thrown: an error's message, and anything else as it is written. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same with the places in the code that it came through, for what is our own or a plugin's fault. */
export function errorTrace(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
