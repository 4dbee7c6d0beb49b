import { cString, libc } from "./libc.ts";

/** Bytes a time may have. */
const TEXT_MAXIMUM = 4096;
/** `struct tm`, with room to spare. */
const TM_BYTES = 128;

/**
 * Times by a pattern of strftime(3) in the local time zone. Both are libc's own: the pattern's meaning
 * and the zone are what every other program of the machine takes them for. A time that comes out empty
 * or longer than 4 KiB is given as Unix seconds.
 *
 * @throws {Error} where there is no such libc
 */
export function localTimeFormatter(pattern: string): (unixSeconds: number) => string {
  const { localtime_r, strftime } = libc();
  const text = new Uint8Array(TEXT_MAXIMUM);
  const time = new BigInt64Array(1), timeBytes = new Uint8Array(time.buffer);
  const broken = new Uint8Array(TM_BYTES);
  const patternText = cString(pattern);
  const decoder = new TextDecoder();
  return (unixSeconds) => {
    time[0] = BigInt(unixSeconds);
    if (localtime_r(timeBytes, broken) === null) return String(unixSeconds);
    const length = Number(strftime(text, BigInt(TEXT_MAXIMUM), patternText, broken));
    return length === 0 ? String(unixSeconds) : decoder.decode(text.subarray(0, length));
  };
}
