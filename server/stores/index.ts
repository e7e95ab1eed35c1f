/** The kinds of store; adding one is a file and a line here. */
import type { Store } from "../ports/store.ts"
import { placeOf } from "./postgres/address.ts"
import { openPostgresStore } from "./postgres/store.ts"
import { openMemoryStore } from "./sqlite/memory-store.ts"
import { openSqliteStore } from "./sqlite/store.ts"

export { MissingPackage } from "./missing-package.ts"
export { placeOf } from "./postgres/address.ts"
export { backupSqlite } from "./sqlite/backup.ts"

export type StoreOptions = {
  /** File that holds the password of a PostgreSQL database. */
  readonly databasePasswordFile?: string | undefined
  /** Connections to a PostgreSQL server at most. */
  readonly databaseConnections?: number | undefined
}

const openPostgres = (url: string, options: StoreOptions): Promise<Store> =>
  openPostgresStore({
    url,
    passwordFile: options.databasePasswordFile,
    connections: options.databaseConnections,
  })

type Kind = {
  readonly wanted: RegExp
  readonly open: (url: string, options: StoreOptions) => Promise<Store>
}
const kinds: readonly Kind[] = [
  { wanted: /^sqlite:(?=.)/s, open: (url) => openSqliteStore({ file: url.slice("sqlite:".length) }) },
  { wanted: /^memory:$/, open: () => openMemoryStore() },
  { wanted: /^postgres(ql)?:\/\//, open: openPostgres },
]

/** A `database` of the configuration that names no store. */
export class UnknownStore extends Error {
  constructor(url: string) {
    super(
      `database: found ${JSON.stringify(placeOf(url).slice(0, 80))}, wanted "sqlite:FILE", "memory:" or "postgres://…"`,
    )
    this.name = "UnknownStore"
  }
}

/** Opens the store that `sqlite:FILE`, `memory:` or `postgres://…` names. */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  const kind = kinds.find(({ wanted }) => wanted.test(url))
  if (!kind) throw new UnknownStore(url)
  return kind.open(url, options)
}
