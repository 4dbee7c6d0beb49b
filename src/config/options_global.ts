import { ACCESS_OPTIONS } from "./options_access.ts";
import { ADMIN_OPTIONS } from "./options_admin.ts";
import { DELIVERY_OPTIONS } from "./options_delivery.ts";
import { LIMIT_OPTIONS } from "./options_limits.ts";
import { LOG_OPTIONS } from "./options_log.ts";
import { PERSISTENCE_OPTIONS } from "./options_persistence.ts";
import { PROCESS_OPTIONS } from "./options_process.ts";

/** The options that hold for the whole broker. */
export const GLOBAL_OPTIONS = [
  ...PROCESS_OPTIONS,
  ...PERSISTENCE_OPTIONS,
  ...ACCESS_OPTIONS,
  ...DELIVERY_OPTIONS,
  ...LIMIT_OPTIONS,
  ...LOG_OPTIONS,
  ...ADMIN_OPTIONS,
] as const;
