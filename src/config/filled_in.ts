import { type Place, placeText } from "../mistake.ts";
import { expand, type ExpandedPart, type Expansion, type ExpansionSources } from "./expansion.ts";
import type { Setting } from "./setting.ts";

/** The values in which something was filled in from elsewhere, which nobody may be shown. */
export class FilledIn {
  readonly #sources: ExpansionSources | undefined;
  /** By `FILE:LINE`. */
  readonly #values = new Map<string, { text: string; parts: readonly ExpandedPart[] }>();

  /** @param sources what `${…}` is filled in from; without it nothing is */
  constructor(sources: ExpansionSources | undefined) {
    this.#sources = sources;
  }

  /** Fills in what a value takes from elsewhere, or says what is wrong. */
  expand(setting: Setting): Setting | Extract<Expansion, { message: string }> {
    if (this.#sources === undefined || !setting.text.includes("${")) return setting;
    const { place, text } = setting;
    const expansion = expand(text, this.#sources);
    if ("message" in expansion) return expansion;
    this.#values.set(placeText(place), { text, parts: expansion.parts });
    return { ...setting, text: expansion.text };
  }

  /** The texts as they are written, by `FILE:LINE`. */
  written(): Map<string, string> {
    return new Map([...this.#values].map(([origin, { text }]) => [origin, text]));
  }

  /** A message about a place, without what was filled in there. */
  hide(place: Place, message: string): string {
    const parts = this.#values.get(placeText(place))?.parts ?? [];
    return parts.filter(({ value }) => value !== "")
      .reduce((text, { source, value }) => text.replaceAll(value, () => source), message);
  }
}
