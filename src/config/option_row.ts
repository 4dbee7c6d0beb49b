/** What a row of the option table may say, and the TypeScript types that follow from a row. */

/** The largest number of most options, as of a C `int`. */
export const INT_MAXIMUM = 2_147_483_647;

/** `honoured`: as Mosquitto's; `own`: Mosquitto has none such; `refused`: told why it cannot be had; `dropped`: only warned of. */
export type OptionStatus = "honoured" | "own" | "refused" | "dropped";

/**
 * What a listener option does before any listener line: `default` opens Mosquitto's default listener,
 * `declared` is a mistake, `explicit` is a mistake even after `port` or `bind_address`.
 */
export type ListenerNeed = "default" | "declared" | "explicit";

interface RowBase {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly scope: "global" | "listener" | "bridge" | "plugin";
  readonly status: OptionStatus;
  /** One sentence. */
  readonly meaning: string;
  readonly unit?: string;
  /** Whether a reload (SIGHUP) is to apply a changed value. */
  readonly reloadable: boolean;
  /** The Mosquitto release that brought it, or "Sabethes". */
  readonly since: string;
  /** Why it is refused. */
  readonly because?: string;
  /** How ours differs from Mosquitto's, in a sentence. */
  readonly differs?: string;
  /** The default in words, where the value alone would not say it. */
  readonly defaultText?: string;
  /** What messages call it, where Mosquitto's do not use the name. */
  readonly label?: string;
  /** Mosquitto's text for a value out of bounds; `{name}` and `{value}` are filled in. */
  readonly refusal?: string;
  /** A line to log whenever the option is used. */
  readonly note?: string;
  readonly listenerNeed?: ListenerNeed;
  /** A text that may be given again in the same section, and then wins. */
  readonly lastWins?: true;
  /** Mosquitto's text for a value given a second time, if it has one of its own. */
  readonly duplicate?: string;
  /** With `per_listener_settings true` this global option belongs to the listener line above it. */
  readonly perListener?: true;
  /** A value for the files in `conf/`, where the default is no value that could be written. */
  readonly example?: string;
  /** Never shown: not in a log, not by the admin API. */
  readonly secret?: true;
  /** Written not commented out, with this value, in the configuration files that ship. */
  readonly shipped?: string;
}

export interface BoolRow extends RowBase {
  readonly kind: "bool";
  readonly default: boolean;
}
export interface IntRow extends RowBase {
  readonly kind: "int";
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Taken for any value below the minimum, which then is no mistake. */
  readonly below?: number;
  /** What is said when `below` was taken. */
  readonly belowNotice?: string;
  /** Mosquitto's text for a value below the minimum, where it differs from `refusal`. */
  readonly refusalBelow?: string;
  /** Values above the maximum are lowered to it, with a notice. */
  readonly clampsAbove?: true;
  /** Other spellings of one value. */
  readonly same?: { readonly given: number; readonly taken: number };
}
/** Seconds, written as a number and a unit: s h d w m (30 days) y (365 days). 0 stands for "not given". */
export interface DurationRow extends RowBase {
  readonly kind: "duration";
  readonly default: number;
}
export interface TextRow extends RowBase {
  readonly kind: "text" | "path";
  readonly default: string;
  /** UTF-8 bytes; 65535 if not said. */
  readonly bytesMaximum?: number;
  /** What the whole text must match. */
  readonly pattern?: RegExp;
}
/** Texts, one per line of the file. */
export interface TextsRow extends RowBase {
  readonly kind: "texts";
  readonly default: readonly string[];
}
/** One of some words. */
export interface WordRow extends RowBase {
  readonly kind: "word";
  readonly default: string;
  readonly words: readonly string[];
  /** Words that Mosquitto refuses with a text of their own. */
  readonly refusals?: Readonly<Record<string, string>>;
}
/** A set of words, gathered over repeated lines; `none` empties it, `all` fills it if it is listed in `all`. */
export interface WordsRow extends RowBase {
  readonly kind: "words";
  readonly default: readonly string[];
  readonly words: readonly string[];
  /** Words that the rest of the line belongs to: a path. One of each, as `file /path` in the value. */
  readonly pathWords?: readonly string[];
  /** Words that are refused with a text of their own. */
  readonly refusals?: Readonly<Record<string, string>>;
  readonly all?: true;
}
/** Some of the numbers 3, 4, 5. */
export interface VersionsRow extends RowBase {
  readonly kind: "versions";
  readonly default: readonly ProtocolVersion[];
}
/** `PORT [ADDRESS]`; null is "off". */
export interface EndpointRow extends RowBase {
  readonly kind: "endpoint";
  readonly default: Endpoint | null;
  /** The address if only the port is given. */
  readonly defaultAddress: string;
}
/** `host[:port] …`, the brokers of a bridge; the last colon separates the port. */
export interface AddressesRow extends RowBase {
  readonly kind: "addresses";
  readonly default: readonly Endpoint[];
}
/** `pattern [direction [qos [local-prefix [remote-prefix]]]]`, one per line of the file. */
export interface TopicsRow extends RowBase {
  readonly kind: "topics";
  readonly default: readonly BridgeTopic[];
}
/** `seconds` or `base cap [stable]`. */
export interface BackoffRow extends RowBase {
  readonly kind: "backoff";
  readonly default: Backoff;
}
/** `idle interval count`; null is the system's. */
export interface ProbesRow extends RowBase {
  readonly kind: "probes";
  readonly default: Probes | null;
}
/** Opens a section or reads further files: acts, and has no value of its own. */
export interface DirectiveRow extends RowBase {
  readonly kind: "directive";
}

export type OptionRow =
  | BoolRow
  | IntRow
  | DurationRow
  | TextRow
  | TextsRow
  | WordRow
  | WordsRow
  | VersionsRow
  | EndpointRow
  | AddressesRow
  | TopicsRow
  | BackoffRow
  | ProbesRow
  | DirectiveRow;

/** MQTT 3.1, 3.1.1 and 5.0 by their Protocol Version byte. */
export type ProtocolVersion = 3 | 4 | 5;

export interface Endpoint {
  readonly port: number;
  readonly address: string;
}

/** Where a bridge connects to. */
export interface RemoteAddress extends Endpoint {
  /** `ws://…` or `wss://…`, if it speaks MQTT over WebSocket. */
  readonly url?: string;
}

/** What a bridge shares: `localPrefix + pattern` here is `remotePrefix + pattern` there. */
export interface BridgeTopic {
  /** A Topic Filter; empty if the prefixes are two complete Topic Names. */
  readonly pattern: string;
  readonly direction: "out" | "in" | "both";
  readonly qos: 0 | 1 | 2;
  /** Empty for none. */
  readonly localPrefix: string;
  readonly remotePrefix: string;
}

/** How long to wait before connecting again: a constant time if base and cap are equal. */
export interface Backoff {
  readonly baseSeconds: number;
  readonly capSeconds: number;
  /** A connection that lasted this long begins again at the base. */
  readonly stableSeconds: number;
}

/** TCP keep-alive probes. */
export interface Probes {
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  readonly count: number;
}

/** The type of a row's value in a `Configuration`. */
export type ValueOf<Row extends OptionRow> = Row extends { kind: "bool" } ? boolean
  : Row extends { kind: "int" | "duration" } ? number
  : Row extends { kind: "text" | "path" } ? string
  : Row extends { kind: "word"; words: readonly (infer Word)[] } ? Word
  : Row extends { kind: "words"; words: readonly (infer Word)[] }
    ? readonly (Word | PathWordOf<Row>)[]
  : Row extends { kind: "texts" } ? readonly string[]
  : Row extends { kind: "versions" } ? readonly ProtocolVersion[]
  : Row extends { kind: "endpoint" } ? Endpoint | null
  : Row extends { kind: "addresses" } ? readonly RemoteAddress[]
  : Row extends { kind: "topics" } ? readonly BridgeTopic[]
  : Row extends { kind: "backoff" } ? Backoff
  : Row extends { kind: "probes" } ? Probes | null
  : never;

type PathWordOf<Row> = Row extends { pathWords: readonly (infer Word extends string)[] }
  ? `${Word} ${string}`
  : never;

/** Any option's value. */
export type OptionValue =
  | boolean
  | number
  | string
  | readonly string[]
  | readonly ProtocolVersion[]
  | Endpoint
  | readonly RemoteAddress[]
  | readonly BridgeTopic[]
  | Backoff
  | Probes
  | null;

/** `max_inflight_messages` → `maxInflightMessages`, `ciphers_tls1.3` → `ciphersTls13`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}.${infer Tail}`
  ? `${CamelCase<Head>}${CamelCase<Tail>}`
  : Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The values of all rows that have one, under their camel-case names. */
export type ValuesOf<Rows extends readonly OptionRow[]> = {
  readonly [
    Row in Rows[number] as Row extends { kind: "directive" } ? never : CamelCase<Row["name"]>
  ]: ValueOf<Row>;
};

/** The camel-case spelling of an option's name. */
export function camelCase(name: string): string {
  return name.replaceAll(".", "")
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Whether each line of a file adds to the option's value, so that INI writes `name[] = value`. */
export function isGathered(row: OptionRow): boolean {
  return row.kind === "words" || row.kind === "texts" || row.kind === "topics";
}
