/** Lowest or highest version; 1.1 only takes effect with ciphers of `@SECLEVEL=0`. */
export type TlsVersion = "tlsv1.1" | "tlsv1.2" | "tlsv1.3";

/** The key of an identity, or null: there is no such identity. Must answer at once. */
export type PskLookup = (identity: string) => Uint8Array | null;

/** What both sides of a connection may be told. Names of files are given to the library as they are. */
export interface TlsOptions {
  /** Certificate and its chain, PEM. */
  readonly certfile?: string;
  /** Its private key, PEM, not encrypted. */
  readonly keyfile?: string;
  /** Authorities that are trusted for the peer's certificate, PEM. */
  readonly cafile?: string;
  /** Directory of such, named by hash as `openssl rehash` does. */
  readonly capath?: string;
  /** Default: tlsv1.2. */
  readonly minimumVersion?: TlsVersion;
  /** Default: the newest the library knows. */
  readonly maximumVersion?: TlsVersion;
  /** For TLS 1.2 and older, in OpenSSL's words. */
  readonly ciphers?: string;
  /** For TLS 1.3. */
  readonly ciphersTls13?: string;
  /** Takes each line of the key log; for looking into captured traffic. */
  readonly keylog?: (line: string) => void;
}

/** What a listener is told. */
export interface TlsServerOptions extends TlsOptions {
  /** Default: none is asked for. */
  readonly requireCertificate?: boolean;
  /** Revoked client certificates, PEM. */
  readonly crlfile?: string;
  /** Accepts client certificates that have expired or are not valid yet; their issuers still count. */
  readonly disableClientCertDateChecks?: boolean;
  /** Parameters of ephemeral Diffie-Hellman; default: those that fit the certificate. */
  readonly dhparamfile?: string;
  readonly psk?: PskLookup;
  /** Told to clients of TLS 1.2 before they choose their identity. */
  readonly pskHint?: string;
  /** Chosen from, the first first, if the client names protocols; none that fits: none is named. */
  readonly alpnProtocols?: readonly string[];
}

/** What a bridge is told. */
export interface TlsClientOptions extends TlsOptions {
  /** Trusts the authorities of the system. */
  readonly osCerts?: boolean;
  /** Does not compare the certificate with the host name; the chain is checked all the same. */
  readonly insecure?: boolean;
  /** Replaces certificates. */
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
  /** The protocol that is named. */
  readonly alpn?: string;
  /** Demands an answer of the issuer, stapled to the certificate, that it is not revoked. */
  readonly requireOcsp?: boolean;
}

/** What a handshake has found out. */
export interface TlsInfo {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  /** OpenSSL's name. */
  readonly cipher: string;
  /** Server Name Indication of the client. */
  readonly serverName: string | null;
  readonly alpn: string | null;
  readonly pskIdentity: string | null;
  /** The certificate of the peer, which was verified. */
  readonly certificate: PeerCertificate | null;
}

export interface PeerCertificate {
  /**
   * Null: there is none, or none that is safe to use as a name: several, empty, with a NUL or not
   * UTF-8.
   */
  readonly commonName: string | null;
  /** As RFC 2253 writes it: `CN=client\, one,O=Lab`. */
  readonly subject: string;
  readonly der: Uint8Array;
}
