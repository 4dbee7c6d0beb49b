/**
 * Certificates for tests, made by the `openssl` command when they are asked for, so that none in the
 * repository can expire.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sign } from "node:crypto";

/** Tags of ASN.1. */
const UTF8_STRING = 0x0c;
export const TELETEX_STRING = 0x14;

/** What a certificate is to look like. */
export interface CertificateOptions {
  /** In OpenSSL's form: `/O=Lab/CN=client one`; a `+` joins several of one RDN. */
  readonly subject?: string;
  /** `DNS:localhost,IP:127.0.0.1`; default: none. */
  readonly altNames?: string;
  /** `YYYYMMDDHHMMSSZ`. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** A curve, or `rsa`. */
  readonly key?: "rsa" | "prime256v1" | "secp521r1" | "ed25519";
  readonly isAuthority?: boolean;
}

/** Files of one certificate. */
export interface Certificate {
  readonly certfile: string;
  readonly keyfile: string;
}

/** An authority of its own with its certificates, in a directory of its own. */
export class Authority implements Disposable {
  readonly directory: string;
  readonly #isOwnDirectory: boolean;
  #revocations = 0;

  constructor(subject = "/O=Lab/CN=Lab Root", directory?: string) {
    this.directory = directory ?? Deno.makeTempDirSync({ prefix: "authority" });
    this.#isOwnDirectory = directory === undefined;
    Deno.writeTextFileSync(this.path("index.txt"), "");
    Deno.writeTextFileSync(this.path("index.txt.attr"), "unique_subject = no\n");
    Deno.writeTextFileSync(this.path("serial"), "1000\n");
    Deno.writeTextFileSync(this.path("crlnumber"), "1000\n");
    Deno.writeTextFileSync(this.path("ca.cnf"), configuration(this.directory));
    this.#newKey("ca", "prime256v1");
    this.#openssl(
      ["req", "-x509", "-new", "-key", "ca.key", "-out", "ca.crt", "-days", "30"],
      ["-config", "ca.cnf", "-subj", subject, "-extensions", "authority"],
    );
  }

  get cafile(): string {
    return this.path("ca.crt");
  }

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** A certificate that this authority has signed, in files of that name. */
  issue(name: string, options: CertificateOptions = {}): Certificate {
    const { key = "prime256v1", subject = `/O=Lab/CN=${name}` } = options;
    this.#newKey(name, key);
    this.#openssl(
      ["req", "-new", "-key", `${name}.key`, "-out", `${name}.csr`, "-config", "ca.cnf", "-utf8"],
      ["-subj", subject, "-multivalue-rdn"],
    );
    const extensions = options.isAuthority
      ? "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
      : "basicConstraints=CA:FALSE\n";
    const altNames = options.altNames === undefined ? "" : `subjectAltName=${options.altNames}\n`;
    Deno.writeTextFileSync(this.path(`${name}.ext`), extensions + altNames);
    const { notBefore, notAfter } = options;
    this.#openssl(
      ["ca", "-config", "ca.cnf", "-batch", "-notext", "-preserveDN", "-utf8"],
      ["-in", `${name}.csr`, "-out", `${name}.crt`, "-extfile", `${name}.ext`],
      notBefore === undefined ? [] : ["-startdate", notBefore],
      notAfter === undefined ? ["-days", "20"] : ["-enddate", notAfter],
    );
    return { certfile: this.path(`${name}.crt`), keyfile: this.path(`${name}.key`) };
  }

  /** For `localhost` and 127.0.0.1. */
  issueServer(name = "server", options: CertificateOptions = {}): Certificate {
    const altNames = "DNS:localhost,IP:127.0.0.1";
    return this.issue(name, { subject: "/O=Lab/CN=localhost", altNames, ...options });
  }

  /**
   * A certificate with bytes in its common name that no command writes: a copy of one with `?` in their
   * place, patched and signed again.
   */
  issueWithCommonName(
    name: string,
    commonName: Uint8Array,
    stringType = UTF8_STRING,
  ): Certificate {
    const placeholder = "?".repeat(commonName.length);
    const { certfile, keyfile } = this.issue(name, { subject: `/O=Lab/CN=${placeholder}` });
    const pem = Deno.readTextFileSync(certfile);
    const der = Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ""), "base64");
    const outer = element(der, 0);
    const signed = element(der, outer.start), algorithm = element(der, signed.end);
    const body = Buffer.from(der.subarray(outer.start, signed.end));
    const at = body.indexOf(placeholder);
    body.set(commonName, at);
    body[at - 2] = stringType;
    const signature = sign("sha256", body, Deno.readTextFileSync(this.path("ca.key")));
    const patched = sequence(
      body,
      der.subarray(signed.end, algorithm.end),
      tagged(0x03, Buffer.of(0), signature),
    );
    const lines = patched.toString("base64").match(/.{1,64}/g)!.join("\n");
    Deno.writeTextFileSync(
      certfile,
      `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    );
    return { certfile, keyfile };
  }

  issueExpired(name = "expired"): Certificate {
    return this.issue(name, { notBefore: "20200101000000Z", notAfter: "20210101000000Z" });
  }

  issueNotYetValid(name = "early"): Certificate {
    return this.issue(name, { notBefore: "20900101000000Z", notAfter: "20910101000000Z" });
  }

  revoke({ certfile }: Certificate): void {
    this.#openssl(["ca", "-config", "ca.cnf", "-revoke", certfile]);
  }

  /** The list of all that are revoked by now, in a new file. `days` may be over at once. */
  crlfile({ isExpired = false } = {}): string {
    const name = `crl${this.#revocations++}.pem`;
    this.#openssl(
      ["ca", "-config", "ca.cnf", "-gencrl", "-out", name],
      isExpired
        ? ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20210101000000Z"]
        : ["-crldays", "20"],
    );
    return this.path(name);
  }

  /** A directory with this authority, by the hash of its name. */
  capath(): string {
    const directory = this.path("capath");
    Deno.mkdirSync(directory);
    Deno.copyFileSync(this.cafile, `${directory}/ca.pem`);
    this.#openssl(["rehash", directory]);
    return directory;
  }

  /** The same key, encrypted. */
  encryptedKey({ keyfile }: Certificate, form: "pkcs8" | "traditional"): string {
    const name = this.path(`encrypted-${form}.key`);
    const traditional = form === "traditional" ? ["-traditional"] : [];
    this.#openssl(
      ["pkey", "-in", keyfile, "-out", name, "-aes256", "-passout", "pass:secret"],
      traditional,
    );
    return name;
  }

  [Symbol.dispose](): void {
    if (this.#isOwnDirectory) Deno.removeSync(this.directory, { recursive: true });
  }

  #newKey(name: string, key: NonNullable<CertificateOptions["key"]>) {
    const algorithm = key === "rsa"
      ? ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
      : key === "ed25519"
      ? ["-algorithm", "ED25519"]
      : ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${key}`];
    this.#openssl(["genpkey", ...algorithm, "-out", `${name}.key`]);
  }

  #openssl(...args: string[][]) {
    const command = args.flat();
    const { success, stderr } = new Deno.Command("openssl", {
      args: command,
      cwd: this.directory,
      stdout: "null",
      stderr: "piped",
    }).outputSync();
    assert.ok(success, `openssl ${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

function configuration(directory: string): string {
  return `[req]
distinguished_name = none
string_mask = utf8only
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = lab
[lab]
dir = ${directory}
database = ${directory}/index.txt
new_certs_dir = ${directory}
serial = ${directory}/serial
crlnumber = ${directory}/crlnumber
certificate = ${directory}/ca.crt
private_key = ${directory}/ca.key
default_md = sha256
default_days = 20
policy = any
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
`;
}

/** Where the content of an element of DER begins and ends. */
function element(der: Uint8Array, at: number): { start: number; end: number } {
  const first = der[at + 1];
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const size = first & 0x7f;
  let length = 0;
  for (let index = 0; index < size; index++) length = length << 8 | der[at + 2 + index];
  return { start: at + 2 + size, end: at + 2 + size + length };
}

const sequence = (...parts: Uint8Array[]) => tagged(0x30, ...parts);

function tagged(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length < 0x80
    ? [content.length]
    : content.length < 0x100
    ? [0x81, content.length]
    : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...length), content]);
}
