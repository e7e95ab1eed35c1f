/** The kinds of store; adding one is a file and a line here. */
import type { Store } from "../ports/store.ts"
import { openMemoryStore } from "./sqlite/memory-store.ts"
import { openSqliteStore } from "./sqlite/store.ts"

export { MissingPackage } from "./sqlite/errors.ts"

const kinds: Readonly<Record<string, (rest: string) => Promise<Store>>> = {
  sqlite: (file) => openSqliteStore({ file }),
  memory: () => openMemoryStore(),
}

/** A `database` of the configuration that names no store. */
export class UnknownStore extends Error {
  constructor(url: string) {
    super(`database: found ${JSON.stringify(url.slice(0, 80))}, wanted "sqlite:FILE" or "memory:"`)
    this.name = "UnknownStore"
  }
}

/** Opens the store that `sqlite:FILE` or `memory:` names. */
export async function openStore(url: string): Promise<Store> {
  const [, kind = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(url) ?? []
  const open = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (!open || (kind === "sqlite") === (rest === "")) throw new UnknownStore(url)
  return open(rest)
}
