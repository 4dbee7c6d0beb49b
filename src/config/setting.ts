import type { Place } from "../mistake.ts";

/** One setting as a file spells it. */
export interface Setting {
  readonly name: string;
  /** Without blanks around it. */
  readonly text: string;
  readonly place: Place;
  /** Where the value begins, counted from 1. */
  readonly valueColumn: number;
  /** In mosquitto.conf, where a comment can follow a value of one word. */
  readonly firstWordOnly: boolean;
}
