/** Gives a test run one PostgreSQL server, and each test file databases of its own on it. */
import { randomBytes } from "node:crypto"
import { chmodSync } from "node:fs"
import { tmpdir } from "node:os"
import { openStore } from "../../../server/stores/index.ts"
import { runOn, startPostgres } from "./server.ts"

/** Copied for each test, which takes less time than to make its tables. */
const template = "books"
const variable = "TICKET402_TEST_POSTGRES"

/** Vitest calls this once, after the temporary folder was made. */
export async function setup(): Promise<() => Promise<void>> {
  // The server of a run as root belongs to another user, who must find its folder in here.
  chmodSync(tmpdir(), 0o711)
  const server = await startPostgres({ settings: { max_connections: "200" } })
  process.env[variable] = server.url()
  await server.run(`CREATE DATABASE ${template}`)
  await (await openStore(server.url(template))).close()
  return server.stop
}

export type TestDatabase = { readonly url: string; drop(): Promise<void> }

/** A database of its own on the server of the run: with the current schema and no rows, or empty. */
export async function createDatabase(source: "books" | "empty" = "books"): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`
  await runOn(serverUrl(), `CREATE DATABASE ${name} TEMPLATE ${source === "books" ? template : "template0"}`)
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  return { url: url.href, drop: () => runOn(serverUrl(), `DROP DATABASE ${name} WITH (FORCE)`) }
}

function serverUrl(): string {
  const url = process.env[variable]
  if (url === undefined) throw new Error("the run has no PostgreSQL server")
  return url
}
