import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { errorText } from "../../error_text.ts";
import type { LogType } from "../../log.ts";
import type { Mistake } from "../../mistake.ts";
import { replaceFile } from "../replace_file.ts";
import { initialState } from "./initial_state.ts";
import { hashPassword, randomPassword } from "./new_password.ts";
import { writeState } from "./write_state.ts";

/** Where the first administrator's password comes from: the first that is there, else from chance. */
export interface InitialPasswords {
  /** `plugin_opt_password_init_file`: its first line is the password. */
  readonly passwordInitFile: string | undefined;
  /** Of the environment variable `MOSQUITTO_DYNSEC_PASSWORD`. */
  readonly environmentPassword: string | undefined;
}

const ENVIRONMENT_PASSWORD_CHARACTERS = 12;

/**
 * Makes the file of a first start. Passwords from chance are written to `FILE.pw`, which only its owner
 * may read. Returns what kept it from being made.
 */
export async function createFirstFile(
  file: string,
  passwords: InitialPasswords,
  log: (type: LogType, text: string) => void,
): Promise<Mistake[]> {
  log("information", "Dynamic security plugin config not found, generating a default config.");
  const given = givenPassword(file, passwords, log);
  if (typeof given === "object") return [given];
  try {
    const admin = given ?? randomPassword();
    const demo = given === undefined ? randomPassword() : undefined;
    if (demo !== undefined) {
      log("information", `  Generated passwords are at ${file}.pw`);
      // One that is there may be readable by others.
      await rm(`${file}.pw`, { force: true });
      await replaceFile(`${file}.pw`, `admin ${admin}\ndemoclient ${demo}\n`, "may change");
    }
    const state = initialState(
      await hashPassword(admin),
      demo === undefined ? undefined : await hashPassword(demo),
    );
    await replaceFile(file, writeState(state), "may change");
    return [];
  } catch (error) {
    const hint = errorText(error);
    return [{ file, line: 0, message: "Error saving Dynamic security plugin config.", hint }];
  }
}

/** Undefined: none is given. */
function givenPassword(
  file: string,
  { passwordInitFile, environmentPassword }: InitialPasswords,
  log: (type: LogType, text: string) => void,
): string | Mistake | undefined {
  if (passwordInitFile !== undefined) {
    log("information", `  Using admin password from file '${passwordInitFile}'`);
    return passwordInFile(passwordInitFile);
  }
  if (environmentPassword === undefined) return undefined;
  log(
    "information",
    "  Using admin password from MOSQUITTO_DYNSEC_PASSWORD environment variable",
  );
  if (environmentPassword.length >= ENVIRONMENT_PASSWORD_CHARACTERS) return environmentPassword;
  return {
    file,
    line: 0,
    message: "Not generating dynsec config, MOSQUITTO_DYNSEC_PASSWORD must be at least " +
      `${ENVIRONMENT_PASSWORD_CHARACTERS} characters.`,
  };
}

function passwordInFile(file: string): string | Mistake {
  const mistake = (why: string, hint?: string) => ({
    file,
    line: 0,
    message: `Unable to get initial password from '${file}', ${why}.`,
    hint,
  });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return mistake("file not accessible", errorText(error));
  }
  if (text === "") return mistake("file empty");
  const password = text.split("\n", 1)[0].trimEnd();
  return password === "" ? mistake("password is empty") : password;
}
