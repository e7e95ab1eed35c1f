/** Starts PgBouncer in transaction mode, which Debian's package brings. */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../free-port.ts"
import { password, serverAccount } from "./server.ts"

export type Pooler = { readonly port: number; stop(): Promise<void> }

const program = "/usr/sbin/pgbouncer"

export const hasPooler = (): boolean => spawnSync(program, ["--version"]).status === 0

/** Three connections to the server serve all sessions. */
export async function startPooler(serverPort: number): Promise<Pooler> {
  const account = serverAccount()
  const folder = mkdtempSync(join(tmpdir(), "pooler-"))
  const [settings, users] = [join(folder, "pgbouncer.ini"), join(folder, "users.txt")]
  const port = await freePort()
  writeFileSync(users, `"postgres" "${password}"\n`)
  writeFileSync(
    settings,
    `[databases]
* = host=127.0.0.1 port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`,
  )
  if (account) for (const path of [folder, settings, users]) chownSync(path, account.uid, account.gid)
  const process = spawn(program, [settings], { ...account, stdio: ["ignore", "ignore", "pipe"] })
  const ended = once(process, "exit")
  await new Promise<void>((resolve, reject) => {
    let log = ""
    process.stderr.on("data", (chunk) => {
      log += chunk
      if (log.includes("process up")) resolve()
    })
    process.once("exit", () => reject(new Error(`PgBouncer did not start: ${log}`)))
  })
  return {
    port,
    async stop() {
      process.kill("SIGTERM")
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}
