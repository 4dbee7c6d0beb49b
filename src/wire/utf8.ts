/** What a UTF-8 Encoded String, a Topic Name and a Topic Filter may hold. */

/** Levels in a Topic Name or Topic Filter; 200 slashes, as Mosquitto. Keeps every tree walk short. */
export const TOPIC_LEVELS_MAXIMUM = 201;

/** A byte order mark belongs to the text: without it, two names would become one. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const SLASH = 0x2f, PLUS = 0x2b, HASH = 0x23;

/**
 * Well-formed UTF-8 [MQTT-1.5.4-1] without U+0000 [MQTT-1.5.4-2]. Control characters and
 * non-characters, which a receiver may refuse, are refused: strict subscribers would disconnect.
 */
export function isUtf8String(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const first = bytes[at++];
    if (first < 0x80) {
      if (first < 0x20 || first === 0x7f) return false;
      continue;
    }
    let rest: number, codePoint: number, smallest: number;
    if (first >= 0xc2 && first <= 0xdf) (rest = 1, codePoint = first & 0x1f, smallest = 0x80);
    else if ((first & 0xf0) === 0xe0) (rest = 2, codePoint = first & 0x0f, smallest = 0x800);
    else if (first >= 0xf0 && first <= 0xf4) (rest = 3, codePoint = first & 7, smallest = 0x10000);
    else return false;
    if (at + rest > end) return false;
    for (; rest > 0; rest--) {
      const next = bytes[at++];
      if ((next & 0xc0) !== 0x80) return false;
      codePoint = codePoint << 6 | next & 0x3f;
    }
    if (codePoint < smallest || codePoint > 0x10ffff) return false;
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) return false;
    if (codePoint < 0xa0) return false;
    if (codePoint >= 0xfdd0 && codePoint <= 0xfdef || (codePoint & 0xfffe) === 0xfffe) return false;
  }
  return true;
}

/** A Topic Name: at least one character [MQTT-4.7.3-1], no wildcard [MQTT-3.3.2-2]. */
export function isTopicName(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  let levels = 1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === PLUS || byte === HASH) return false;
    if (byte === SLASH && ++levels > TOPIC_LEVELS_MAXIMUM) return false;
  }
  return isUtf8String(bytes, start, end);
}

/** A Topic Filter: wildcards fill a whole level [MQTT-4.7.1-2], `#` is last [MQTT-4.7.1-1]. */
export function isTopicFilter(filter: string): boolean {
  if (filter.length === 0) return false;
  let levels = 1;
  for (let at = 0; at < filter.length; at++) {
    const character = filter.charCodeAt(at);
    if (character === SLASH) {
      if (++levels > TOPIC_LEVELS_MAXIMUM) return false;
    } else if (character === PLUS || character === HASH) {
      if (at > 0 && filter.charCodeAt(at - 1) !== SLASH) return false;
      const last = at === filter.length - 1;
      if (character === HASH ? !last : !last && filter.charCodeAt(at + 1) !== SLASH) return false;
    }
  }
  return true;
}

/** Bytes as text, all of it; null: they are no well-formed UTF-8. */
export function utf8Text(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** A Topic Name that is already text (embedding, HTTP); the same rules as {@linkcode isTopicName}. */
export function isTopicNameText(name: string): boolean {
  const bytes = new TextEncoder().encode(name);
  return bytes.length <= 0xffff && isTopicName(bytes, 0, bytes.length);
}
