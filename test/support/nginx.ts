/**
 * Starts a real nginx (scripts/system-packages.sh installs it) with the sample configuration, on a port of
 * its own.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./free-port.ts"
import { eventually } from "./service.ts"

export const hasNginx = spawnSync("nginx", ["-v"]).error === undefined

export type Nginx = { readonly url: string; stop(): Promise<void> }

export type NginxOptions = {
  /** Host and port of the token endpoint, and of the protected service. */
  readonly router: string
  readonly movies: string
  readonly port?: number
  /** Paths of the token endpoint that the sample does not forward, and that this nginx forwards. */
  readonly paths?: readonly string[]
  /** Applies the changes of docs/selling.md for a service whose own login needs `Authorization`. */
  readonly hasLogin?: boolean
}

export async function startNginx({
  router,
  movies,
  port,
  paths = [],
  hasLogin = false,
}: NginxOptions): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "nginx-"))
  const listening = port ?? (await freePort())
  const url = `http://127.0.0.1:${listening}`
  const more = paths.map((path) => `location = ${path} { proxy_pass http://ticket402; }\n  `).join("")
  const sample = (await readFile(join(process.cwd(), "docs/samples/nginx.conf"), "utf8"))
    .replace("127.0.0.1:8402", router)
    .replace("127.0.0.1:9000", movies)
    .replace("127.0.0.1:8080", `127.0.0.1:${listening}`)
    .replace("location = /token {", `${more}location = /token {`)
  const adapted = hasLogin
    ? sample
        .replaceAll("ticket402/gate/", "ticket402/gate/token-header/")
        .replace('proxy_set_header Authorization "";', "")
    : sample
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    .join("\n")
  const configuration = `daemon off; master_process off; pid ${join(folder, "pid")};
events { worker_connections 64; }
http { access_log off; ${temporary}
${adapted} }`
  const file = join(folder, "nginx.conf")
  await writeFile(file, configuration)
  execFileSync("nginx", ["-t", "-q", "-e", join(folder, "error.log"), "-p", folder, "-c", file])
  const nginx = spawn("nginx", ["-e", join(folder, "error.log"), "-p", folder, "-c", file], {
    stdio: "ignore",
  })
  const status = () =>
    fetch(`${url}/health`).then(
      (answer) => answer.status,
      () => 0,
    )
  await eventually(status, (found) => found !== 0)
  return {
    url,
    async stop() {
      nginx.kill("SIGTERM")
      await once(nginx, "exit")
      await rm(folder, { recursive: true, force: true })
    },
  }
}
