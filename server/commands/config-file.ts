/** Reads configuration files, and lists the problems that a person can correct. */
import { readFile } from "node:fs/promises"
import { BrokenBooks } from "../books/audit.ts"
import { ConfigError, type ConfigInput } from "../config/config.ts"
import { KeyFileError } from "../keys/index.ts"
import { ChainMismatch } from "../ports/chain.ts"
import { ThreadMissing } from "../ports/runtime.ts"
import { StoreFileError } from "../ports/store.ts"
import { MissingPackage, UnknownStore } from "../stores/index.ts"

/** EX_CONFIG of sysexits.h. */
export const configExit = 78

/** Throws {@link ConfigError}. */
export async function readConfig(file: string): Promise<ConfigInput> {
  let text: string
  try {
    text = await readFile(file, "utf8")
  } catch (error) {
    throw new ConfigError([`cannot be read (${codeOf(error) ?? "unknown"}), wanted a JSON file`])
  }
  try {
    return JSON.parse(text) as ConfigInput
  } catch (error) {
    throw new ConfigError([`is not JSON: ${error instanceof Error ? error.message : "unreadable"}`])
  }
}

/** Problems a person can mend before the next start; undefined for a failure of the program. */
export function mendableProblems(error: unknown): readonly string[] | undefined {
  if (error instanceof ConfigError || error instanceof BrokenBooks) return error.problems
  const isMendable = [
    KeyFileError,
    StoreFileError,
    MissingPackage,
    ThreadMissing,
    UnknownStore,
    ChainMismatch,
  ].some((kind) => error instanceof kind)
  return isMendable && error instanceof Error ? [error.message] : undefined
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
