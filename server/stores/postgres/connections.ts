/** Connections to a PostgreSQL server: few, encrypted as the address says, and checked before they are used. */
import type Pg from "pg"
import type { PoolClient, PoolConfig } from "pg"
import { StoreFileError } from "../../ports/store.ts"
import type { Address } from "./address.ts"
import { Undone } from "./errors.ts"
import { types } from "./rows.ts"

export type Connections = {
  /** Release it with an error to have it closed. */
  connect(): Promise<PoolClient>
  /** Whether the connection keeps its server process, so that statements prepared on it stay known. */
  isDirect(client: PoolClient): boolean
  close(): Promise<void>
}

/** The oldest release that its makers still support. */
const oldestServer = 140_000

export function createConnections(
  { Pool }: typeof Pg,
  address: Address,
  { limit, deadlineMs }: { readonly limit: number; readonly deadlineMs: number },
): Connections {
  const direct = new WeakSet<PoolClient>()
  const { host, port, user, database, password, tls, place } = address
  const pool = new Pool({
    host,
    port,
    user,
    database,
    // Always named, or pg would read it from the environment.
    ssl: tls && { host, ...(tls.ca !== undefined && { ca: tls.ca }) },
    ...(password !== undefined && { password }),
    application_name: "ticket402",
    max: limit,
    connectionTimeoutMillis: deadlineMs,
    query_timeout: 4 * deadlineMs,
    keepAlive: true,
    idleTimeoutMillis: 30_000,
    types,
    onConnect: async (client) => {
      if (await checkServer(client as PoolClient, place)) direct.add(client as PoolClient)
    },
  } satisfies PoolConfig)
  // A connection that breaks fails the statement that uses it; an idle one is replaced at the next use.
  pool.on("error", () => undefined)
  pool.on("connect", (client) => client.on("error", () => undefined))

  return {
    connect: () => pool.connect(),
    isDirect: (client) => direct.has(client),
    close: () => pool.end(),
  }
}

type ServerFacts = {
  readonly synchronous_commit: string
  readonly fsync: string
  readonly full_page_writes: string
  readonly version: bigint
  readonly encoding: string
  readonly standby: string
  readonly pid: bigint
}

const facts = `
  SELECT current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    CAST(current_setting('server_version_num') AS BIGINT) AS version, current_setting('server_encoding') AS encoding,
    CAST(pg_is_in_recovery() AS TEXT) AS standby, CAST(pg_backend_pid() AS BIGINT) AS pid`

/**
 * Throws {@link StoreFileError} for a server whose commits do not survive a crash: a redemption, and with it the replay
 * lock, could vanish. Resolves to whether this connection is the server's own and not one of a pooler.
 */
async function checkServer(client: PoolClient, place: string): Promise<boolean> {
  const { rows } = await client.query<ServerFacts>(facts)
  const [found] = rows
  if (!found) throw new Undone("the database answered nothing")
  for (const name of ["synchronous_commit", "fsync", "full_page_writes"] as const)
    if (found[name] === "off") throw new StoreFileError(`${place}: found ${name}=off, wanted on`)
  if (found.version < oldestServer)
    throw new StoreFileError(`${place}: found PostgreSQL ${found.version / 10_000n}, wanted 14 or later`)
  if (found.encoding !== "UTF8")
    throw new StoreFileError(`${place}: found a database with encoding ${found.encoding}, wanted UTF8`)
  if (found.standby !== "false") throw new Undone("the database is a standby that cannot be written")
  // A pooler gives its clients numbers of its own.
  return BigInt((client as { processID?: number | null }).processID ?? 0) === found.pid
}
