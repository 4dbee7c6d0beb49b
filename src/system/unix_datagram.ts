import { libc } from "./libc.ts";

const AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
/** Bytes of a path in `sockaddr_un`, with its end. */
const PATH_MAXIMUM = 108;

/**
 * Sends datagrams to a socket of this machine, one call each, and never waits: a reader that does not
 * read loses them. The address is looked up each time, so that a reader may be started again.
 */
export class UnixDatagram {
  readonly #address: Uint8Array<ArrayBuffer>;
  readonly #descriptor: number;

  /**
   * @param path of the socket; `@name` is a name without a file
   * @throws {Error} when there can be no such socket
   */
  constructor(path: string) {
    const bytes = new TextEncoder().encode(path);
    if (bytes.length >= PATH_MAXIMUM) throw new Error(`the socket's path is too long: ${path}`);
    const isAbstract = bytes[0] === 0x40;
    this.#address = new Uint8Array(2 + bytes.length + (isAbstract ? 0 : 1));
    new DataView(this.#address.buffer).setUint16(0, AF_UNIX, true);
    this.#address.set(bytes, 2);
    if (isAbstract) this.#address[2] = 0;
    this.#descriptor = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#descriptor < 0) throw new Error("no socket can be made");
  }

  /** False: nobody took it. */
  send(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const address = this.#address;
    const sent = libc().sendto(
      this.#descriptor,
      bytes,
      BigInt(bytes.length),
      flags,
      address,
      address.length,
    );
    return sent === BigInt(bytes.length);
  }

  close(): void {
    libc().close(this.#descriptor);
  }
}
