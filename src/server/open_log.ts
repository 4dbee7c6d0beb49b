import type { GlobalValues } from "../config/options.ts";
import { errorText } from "../error_text.ts";
import { Log, type LogDestination } from "../log.ts";
import { localTimeFormatter } from "../system/local_time.ts";
import { LogFile, type OpenFile } from "../system/log_file.ts";
import { StandardStream } from "../system/standard_stream.ts";
import { Syslog } from "../system/syslog.ts";
import { LogTopics } from "./log_topics.ts";

/** The options that make a log. */
export type LogValues = Pick<
  GlobalValues,
  | "logDest"
  | "logType"
  | "logTimestamp"
  | "logTimestampFormat"
  | "logFacility"
  | "logFormat"
>;

/** The options of a log, of all that there are. */
export function logValuesOf(values: LogValues): LogValues {
  const { logDest, logType, logTimestamp, logTimestampFormat, logFacility, logFormat } = values;
  return { logDest, logType, logTimestamp, logTimestampFormat, logFacility, logFormat };
}

/** A log, and what publishes its lines; null where they are not published. */
export interface OpenedLog {
  readonly log: Log;
  readonly logTopics: LogTopics | null;
}

/** How {@linkcode openLog} opens, beside the options. */
export interface OpenLogOptions {
  /** Destinations beside those of `log_dest`. */
  readonly further?: readonly LogDestination[];
  /** Opens the file, with the rights that the broker will have. */
  readonly openFile?: OpenFile;
  /** Takes what goes wrong with a destination; the others go on without it. */
  tell(text: string): void;
}

/** Opens every destination of the log that can be opened, and says which cannot. */
export function openLog(values: LogValues, options: OpenLogOptions): OpenedLog {
  const destinations: LogDestination[] = [...options.further ?? []];
  let logTopics: LogTopics | null = null;
  for (const word of values.logDest) {
    if (word === "stdout" || word === "stderr") destinations.push(new StandardStream(word));
    else if (word === "topic") destinations.push(logTopics = new LogTopics());
    else if (word === "syslog") {
      const syslog = attempt("syslog", options, () => {
        return new Syslog(values.logFacility < 0 ? null : values.logFacility);
      });
      if (syslog !== undefined) destinations.push(syslog);
    } else {
      destinations.push(new LogFile(word.slice("file ".length), options.tell, options.openFile));
    }
  }
  const pattern = values.logTimestampFormat;
  const timeText = pattern === ""
    ? undefined
    : attempt("log_timestamp_format", options, () => localTimeFormatter(pattern));
  const log = new Log({
    destinations,
    types: values.logType,
    timestamp: values.logTimestamp,
    timeText,
    format: values.logFormat,
  });
  return { log, logTopics };
}

function attempt<T>(what: string, options: OpenLogOptions, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    options.tell(`Error: ${what} cannot be used: ${errorText(error)}`);
    return undefined;
  }
}
