import type { Link } from "../session/ports.ts";
import type { Endpoint } from "../transport/stream_link.ts";
import type { BridgeAddress, BridgeSettings } from "./settings.ts";

/** What becomes of an attempt to connect: one of the two is called, once, in a turn of its own. */
export interface Attempt {
  /** Connected, with all handshakes below MQTT done: hands over who handles the bytes. */
  opened(link: Link): Endpoint;
  /** `text` is for the log. */
  failed(text: string): void;
}

/** Opens the connections of bridges. What a call returns gives the attempt up. */
export interface Links {
  open(address: BridgeAddress, settings: BridgeSettings, attempt: Attempt): () => void;
  /** Whether the address can be connected to at all. */
  probe(
    address: BridgeAddress,
    settings: BridgeSettings,
    answer: (reachable: boolean) => void,
  ): () => void;
}
