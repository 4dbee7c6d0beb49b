/** A listener could not be opened: which, and what the system said. */
export class ListenError extends Error {
  /** The class's name. */
  override readonly name = "ListenError";
}
