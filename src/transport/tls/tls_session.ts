import { isIP } from "node:net";
import { assert } from "../../assert.ts";
import { cString } from "../../system/libc.ts";
import { borrowBuffer, LARGEST_BUFFER, returnBuffer } from "../../wire/buffer_pool.ts";
import { borrowCiphertextBuffer } from "./ciphertext_buffers.ts";
import { askForOcsp, ocspProblem } from "./ocsp_check.ts";
import {
  BIO_RESET,
  Control,
  NO_PARTIAL_WILDCARDS,
  openssl,
  takeErrors,
  textAt,
  WANT_READ,
  ZERO_RETURN,
} from "./openssl.ts";
import { type Answering, askedIdentity, setAnswering } from "./openssl_callbacks.ts";
import type { OpensslContext } from "./openssl_context.ts";
import { sessionInfo } from "./session_info.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsInfo } from "./tls_options.ts";

/** Takes what is to be sent, in a buffer that it gives back by `returnCiphertextBuffer`. */
export type CiphertextSink = (buffer: Uint8Array<ArrayBuffer>, length: number) => void;

/** Plaintext is encrypted, and ciphertext decrypted, in pieces of at most so many bytes. */
export const SLICE_BYTES = LARGEST_BUFFER;

interface MemoryBios {
  /** Ciphertext on its way into OpenSSL. */
  readonly input: Deno.PointerValue;
  readonly output: Deno.PointerValue;
}

let bios: MemoryBios | null = null;
let live = 0;

/** Sessions that hold memory of OpenSSL. */
export function liveTlsSessions(): number {
  return live;
}

/**
 * One side of a connection, without input and output: ciphertext goes in, plaintext comes out, and the
 * reverse.
 *
 * All sessions share one pair of memory BIOs, which saves more than 2 KiB each. That is sound since
 * both are empty whenever none of these methods runs: OpenSSL keeps parts of records in the session,
 * what it writes is handed on at once, and what it did not take is kept here.
 */
export class TlsSession {
  readonly #sink: CiphertextSink;
  readonly #answering: Answering;
  readonly #requiresOcsp: boolean;
  /** Null: freed. */
  #ssl: Deno.PointerValue;
  /** The last one whose key was asked for. */
  #identity: string | null = null;
  /** Ciphertext that did not fit. */
  #unread: Uint8Array<ArrayBuffer> | null = null;
  #unreadLength = 0;
  /** OpenSSL holds plaintext for which there was no room. */
  #holdsPlaintext = false;
  #peerEnded = false;
  #failure: TlsError | null = null;

  /** A client says which host it means. */
  constructor(context: OpensslContext, hostName: string | null, sink: CiphertextSink) {
    const { ssl, crypto } = openssl();
    this.#sink = sink;
    this.#answering = context.facts.answering;
    this.#requiresOcsp = context.facts.requiresOcsp;
    this.#ssl = ssl.SSL_new(context.pointer);
    assert(this.#ssl !== null, "OpenSSL has memory for a connection");
    live++;
    bios ??= {
      input: crypto.BIO_new(crypto.BIO_s_mem()),
      output: crypto.BIO_new(crypto.BIO_s_mem()),
    };
    // A reference for the session, which frees it.
    crypto.BIO_up_ref(bios.input);
    crypto.BIO_up_ref(bios.output);
    ssl.SSL_set_bio(this.#ssl, bios.input, bios.output);
    if (context.facts.isServer) ssl.SSL_set_accept_state(this.#ssl);
    else {
      if (hostName) this.#expect(hostName, context.facts.checksHostName);
      if (this.#requiresOcsp) askForOcsp(this.#ssl);
      ssl.SSL_set_connect_state(this.#ssl);
    }
  }

  /** Why the session ended; null: it did not. */
  get failure(): TlsError | null {
    return this.#failure;
  }

  /** The peer has said that it sends nothing more, and nothing is left of what it sent. */
  get hasPeerEnded(): boolean {
    return this.#peerEnded && !this.holdsInput;
  }

  /** There may be plaintext without further ciphertext. */
  get holdsInput(): boolean {
    return this.#holdsPlaintext || this.#unread !== null;
  }

  get isFreed(): boolean {
    return this.#ssl === null;
  }

  /**
   * Goes on with the handshake; a client begins it with no bytes. Returns whether it is done.
   *
   * @throws {TlsError} when a side refuses the other; the alert is in the sink.
   */
  handshake(ciphertext: Uint8Array, length: number): boolean {
    const { ssl } = openssl();
    this.#feed(ciphertext, length);
    setAnswering(this.#answering);
    const result = ssl.SSL_do_handshake(this.#ssl);
    this.#identity = askedIdentity() ?? this.#identity;
    setAnswering(null);
    if (result !== 1 && ssl.SSL_get_error(this.#ssl, result) !== WANT_READ) {
      throw this.#fail("TLS handshake failed.");
    }
    this.#settle();
    if (result === 1 && this.#requiresOcsp) this.#checkOcsp();
    return result === 1;
  }

  /**
   * Decrypts ciphertext, or what is held back if there is none, into `plaintext`; the two may be the
   * same memory. Returns the length, which may be 0. To be called with ciphertext only when nothing
   * is held back.
   */
  decrypt(ciphertext: Uint8Array | null, length: number, plaintext: Uint8Array): number {
    const { ssl, crypto } = openssl();
    if (ciphertext !== null) this.#feed(ciphertext, length);
    else if (this.#unread !== null) {
      this.#feed(this.#unread, this.#unreadLength);
      this.#releaseUnread();
    }
    this.#holdsPlaintext = false;
    let filled = 0;
    while (filled < plaintext.length) {
      const room = filled === 0 ? plaintext : plaintext.subarray(filled);
      const count = ssl.SSL_read(this.#ssl, room, room.length);
      if (count > 0) {
        filled += count;
        // A record that left room is read whole, and no byte follows it.
        if (count < room.length && crypto.BIO_ctrl_pending(bios!.input) === 0) break;
        continue;
      }
      const error = ssl.SSL_get_error(this.#ssl, count);
      if (error === ZERO_RETURN) this.#peerEnded = true;
      else if (error !== WANT_READ) {
        this.#fail("TLS connection failed.");
        return filled;
      }
      break;
    }
    this.#holdsPlaintext = filled === plaintext.length && ssl.SSL_pending(this.#ssl) > 0;
    this.#settle();
    return filled;
  }

  /**
   * Encrypts at most {@linkcode SLICE_BYTES}.
   *
   * @throws {TlsError} when OpenSSL cannot, such as before the handshake.
   */
  encrypt(plaintext: Uint8Array): void {
    assert(this.#ssl !== null, "a session is not used after its end");
    const count = openssl().ssl.SSL_write(this.#ssl, plaintext, plaintext.length);
    if (count !== plaintext.length) throw this.#fail("TLS connection failed.");
    this.#settle();
  }

  /** Says that nothing more is sent. */
  shutdown(): void {
    if (this.#ssl === null || this.#failure !== null) return;
    if (openssl().ssl.SSL_shutdown(this.#ssl) < 0) takeErrors();
    this.#settle();
  }

  /** After the handshake. */
  info(): TlsInfo {
    return sessionInfo(this.#ssl, this.#identity);
  }

  /** Forgets keys and buffers. */
  free(): void {
    if (this.#ssl === null) return;
    openssl().ssl.SSL_free(this.#ssl);
    takeErrors();
    this.#ssl = null;
    live--;
    this.#holdsPlaintext = false;
    this.#releaseUnread();
  }

  #expect(hostName: string, isChecked: boolean) {
    const { ssl, crypto } = openssl();
    const isAddress = isIP(hostName) !== 0;
    const name = cString(hostName);
    // Addresses are not sent as names [RFC 6066, 3].
    if (!isAddress) ssl.SSL_ctrl(this.#ssl, Control.SetServerName, 0n, name);
    if (!isChecked) return;
    const parameters = ssl.SSL_get0_param(this.#ssl);
    crypto.X509_VERIFY_PARAM_set_hostflags(parameters, NO_PARTIAL_WILDCARDS);
    const isSet = isAddress
      ? crypto.X509_VERIFY_PARAM_set1_ip_asc(parameters, name)
      : crypto.X509_VERIFY_PARAM_set1_host(parameters, name, 0n);
    assert(isSet === 1, "the host name can be checked");
  }

  /** Nothing of ours has been sent by now. */
  #checkOcsp() {
    const { ssl } = openssl();
    const store = ssl.SSL_CTX_get_cert_store(ssl.SSL_get_SSL_CTX(this.#ssl));
    const problem = ocspProblem(this.#ssl, store);
    if (problem === null) return;
    this.shutdown();
    this.#failure = new TlsError("TLS handshake failed.", [], problem);
    this.free();
    throw this.#failure;
  }

  #feed(ciphertext: Uint8Array, length: number) {
    assert(this.#ssl !== null, "a session is not used after its end");
    if (length > 0) openssl().crypto.BIO_write(bios!.input, ciphertext, length);
  }

  /** Empties both BIOs. */
  #settle() {
    const { crypto } = openssl();
    const { input, output } = bios!;
    const outgoing = crypto.BIO_ctrl_pending(output);
    if (outgoing > 0) {
      const buffer = borrowCiphertextBuffer(outgoing);
      crypto.BIO_read(output, buffer, outgoing);
      this.#sink(buffer, outgoing);
    }
    const rest = crypto.BIO_ctrl_pending(input);
    if (rest === 0) return;
    if (this.#peerEnded) {
      crypto.BIO_ctrl(input, BIO_RESET, 0n, null);
      return;
    }
    assert(this.#unread === null, "what was held back is taken first");
    this.#unread = borrowBuffer(rest);
    this.#unreadLength = crypto.BIO_read(input, this.#unread, rest);
  }

  #fail(message: string): TlsError {
    const { ssl, crypto } = openssl();
    const details = takeErrors();
    const result = ssl.SSL_get_verify_result(this.#ssl);
    const verification = result === 0n
      ? null
      : textAt(crypto.X509_verify_cert_error_string(result));
    this.#failure = new TlsError(message, details, verification);
    crypto.BIO_ctrl(bios!.input, BIO_RESET, 0n, null);
    // The alert.
    this.#settle();
    this.free();
    return this.#failure;
  }

  #releaseUnread() {
    if (this.#unread !== null) returnBuffer(this.#unread);
    this.#unread = null;
  }
}
