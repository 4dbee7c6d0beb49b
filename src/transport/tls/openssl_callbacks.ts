import { cString } from "../../system/libc.ts";
import {
  bytesAt,
  DATE_ERRORS,
  type Openssl,
  openssl,
  takeErrors,
  textAt,
  writeAt,
} from "./openssl.ts";

/** Whoever is asked while a function of OpenSSL runs. */
export interface Answering {
  /** The key of an identity of a client. */
  keyOf(identity: string): Uint8Array | null;
  /** Our own identity and key. */
  readonly ownPsk: { readonly identity: string; readonly key: Uint8Array } | undefined;
  /** Protocols in the order of preference. */
  readonly alpnProtocols: readonly string[];
  logKey(line: string): void;
}

/** The pointers to give to OpenSSL. */
export interface OpensslCallbacks {
  readonly serverPsk: Deno.PointerObject;
  readonly clientPsk: Deno.PointerObject;
  readonly chooseAlpn: Deno.PointerObject;
  readonly keylog: Deno.PointerObject;
  readonly ignoreLeafDates: Deno.PointerObject;
}

const ALPN_CHOSEN = 0, ALPN_NONE = 3;

let answering: Answering | null = null;
let identity: string | null = null;
/** What an answer has thrown that is a defect. */
let defect: { readonly error: unknown } | null = null;
let made: OpensslCallbacks | null = null;

/**
 * Names who answers until it is set back to null. OpenSSL calls back only from within its own calls,
 * on this thread; nobody may call it again from there.
 *
 * @throws what an answer has thrown meanwhile, unless it was about a text that is none
 */
export function setAnswering(who: Answering | null): void {
  answering = who;
  identity = null;
  if (defect === null) return;
  const { error } = defect;
  defect = null;
  takeErrors();
  throw error;
}

/** The identity whose key was asked for last, since it was said who answers; null: none was. */
export function askedIdentity(): string | null {
  return identity;
}

/**
 * The functions OpenSSL calls, one of each kind for the whole process. An exception must not cross
 * the frames of C, so each of them answers "no" instead, and what is a defect is thrown later.
 */
export function opensslCallbacks(): OpensslCallbacks {
  return made ??= make(openssl());
}

function make({ crypto }: Openssl): OpensslCallbacks {
  const serverPsk = new Deno.UnsafeCallback(
    { parameters: ["pointer", "pointer", "pointer", "u32"], result: "u32" },
    (_ssl, name, room, size) =>
      or(0, () => {
        const asked = textAt(name)!;
        const key = answering!.keyOf(asked);
        if (key === null || key.length > size) return 0;
        identity = asked;
        writeAt(room, key);
        return key.length;
      }),
  );
  const clientPsk = new Deno.UnsafeCallback(
    { parameters: ["pointer", "pointer", "pointer", "u32", "pointer", "u32"], result: "u32" },
    (_ssl, _hint, identityRoom, identitySize, keyRoom, keySize) =>
      or(0, () => {
        const { identity: own, key } = answering!.ownPsk!;
        const name = cString(own);
        if (name.length > identitySize || key.length > keySize) return 0;
        writeAt(identityRoom, name);
        writeAt(keyRoom, key);
        return key.length;
      }),
  );
  const chooseAlpn = new Deno.UnsafeCallback(
    {
      parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
      result: "i32",
    },
    (_ssl, chosen, chosenLength, offered, length) =>
      or(ALPN_NONE, () => {
        const at = indexOfProtocol(bytesAt(offered, length), answering!.alpnProtocols);
        if (at === -1) return ALPN_NONE;
        // What is chosen may point into the client's own list.
        const name = Deno.UnsafePointer.value(offered) + BigInt(at + 1);
        writeAt(chosen, new Uint8Array(BigUint64Array.of(name).buffer));
        writeAt(chosenLength, bytesAt(Deno.UnsafePointer.offset(offered!, at), 1));
        return ALPN_CHOSEN;
      }),
  );
  const keylog = new Deno.UnsafeCallback(
    { parameters: ["pointer", "pointer"], result: "void" },
    (_ssl, line) => or(undefined, () => answering?.logKey(textAt(line)!)),
  );
  const ignoreLeafDates = new Deno.UnsafeCallback(
    { parameters: ["i32", "pointer"], result: "i32" },
    (isValid, store) =>
      or(0, () => {
        if (isValid !== 0 || crypto.X509_STORE_CTX_get_error_depth(store) !== 0) return isValid;
        if (!DATE_ERRORS.includes(crypto.X509_STORE_CTX_get_error(store))) return isValid;
        crypto.X509_STORE_CTX_set_error(store, 0);
        return 1;
      }),
  );
  return {
    serverPsk: serverPsk.pointer,
    clientPsk: clientPsk.pointer,
    chooseAlpn: chooseAlpn.pointer,
    keylog: keylog.pointer,
    ignoreLeafDates: ignoreLeafDates.pointer,
  };
}

function or<T>(refusal: T, answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    // A name that is no UTF-8, or with a NUL in it, is nobody's.
    if (!(error instanceof TypeError)) defect = { error };
    return refusal;
  }
}

/** Where the length of the first protocol of `preferred` stands in a list of names with lengths. */
function indexOfProtocol(offered: Uint8Array, preferred: readonly string[]): number {
  for (const name of preferred) {
    const wanted = new TextEncoder().encode(name);
    for (let at = 0; at < offered.length; at += 1 + offered[at]) {
      const length = offered[at];
      if (length !== wanted.length) continue;
      if (wanted.every((byte, index) => byte === offered[at + 1 + index])) return at;
    }
  }
  return -1;
}
