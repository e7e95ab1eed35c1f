/** The services under test: one on a path without a proxy, and one behind nginx, on a local chain. */
import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import express, { Router } from "express"
import { authorizationServer, gate, hardenServer, hardServerOptions } from "../../server/adapters/express.ts"
import { createIssuer, type Issuer } from "../../server/app/issuer.ts"
import { createLogger } from "../../server/app/log.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { freePort } from "../support/free-port.ts"
import { hasNginx, startNginx } from "../support/nginx.ts"
import { sepoliaId } from "../support/offers.ts"
import { randomAccount } from "../support/payments.ts"
import { offer } from "../support/service.ts"
import type { Access, Credentials } from "./access.ts"
import { readServiceKey } from "./forgery.ts"
import { form, send } from "./http.ts"

export type Fixture = {
  readonly folder: string
  readonly chain: LocalChain
  readonly direct: Deployment
  /** Undefined where nginx is not installed. */
  readonly proxied: Deployment | undefined
  /** Headers of the requests that reached the service behind nginx. */
  readonly upstream: readonly IncomingHttpHeaders[]
  /** Log lines of the services. */
  readonly logged: readonly string[]
  /** Opens a second instance of the direct service with the same store, keys and issuer. */
  openSecondInstance(): Promise<RunningService>
  close(): Promise<void>
}

/** A service with its configuration, and the access to it. */
export type Deployment = { readonly access: Access; readonly config: ConfigInput }

export type RunningService = { readonly origin: string; readonly issuer: Issuer; close(): Promise<void> }

const client = credentials("reporting")
const introspection = credentials("api")

export async function openFixture(): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-"))
  const chain = await startLocalChain({ blockTimeSeconds: 0, accounts: 1 })
  const logged: string[] = []
  const upstream: IncomingHttpHeaders[] = []
  const cleanups: (() => Promise<unknown>)[] = []
  const log = createLogger("debug", { write: (line) => void logged.push(line) })

  const configOf = (name: string, issuer: string): ConfigInput => ({
    issuer,
    payTo: randomAccount().address,
    database: `sqlite:${join(folder, name, "ticket402.db")}`,
    keys: join(folder, name, "keys"),
    relayer: { privateKeyFile: join(folder, name, "relayer.key") },
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    offers: [
      offer("hour", "movies:read", "0.01"),
      offer("studio", "movies:write", "0.02"),
      // The price comes from a function, so that the service issues quotes.
      { ...offer("evening", "movies:read", "0.03"), prices: [{ network: sepoliaId, asset: "USDC" }] },
    ],
    whitelist: [{ ...hashed(client), scope: "movies:read" }],
    introspection: [hashed(introspection)],
  })

  async function open(config: ConfigInput, port: number): Promise<RunningService> {
    const issuer = await createIssuer(config, { log, prices: { evening: () => "0.03" } })
    await chain.fund(issuer.relayer)
    const app = express()
    app.disable("x-powered-by")
    app.use(authorizationServer(issuer))
    const movies = Router()
    movies.get("/movies/:id", gate(issuer, "movies:read"), (req, res) => void res.json({ id: req.params.id }))
    app.use(new URL(config.issuer).pathname, movies)
    const server = hardenServer(createServer(hardServerOptions, app)).listen(port, "127.0.0.1")
    await once(server, "listening")
    const close = async () => {
      await end(server)
      await issuer.close()
    }
    cleanups.push(close)
    return { origin: originOf(server), issuer, close }
  }

  async function meansOf(url: string, config: ConfigInput, route: string): Promise<Deployment> {
    const account = randomAccount()
    await chain.mint(account.address, 1_000_000n)
    const payer = { account, network: sepoliaId, most: "0.05" }
    const key = await readServiceKey(String(config.keys))
    return { config, access: { url, route, payer, client, introspection, key } }
  }

  async function openDirect(): Promise<Deployment> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/cinema`
    const config = configOf("direct", url)
    await open(config, port)
    return meansOf(url, config, "/cinema/movies/7")
  }

  /** A service without code for tokens, protected by nginx as in docs/samples/nginx.conf. */
  async function openProxied(): Promise<Deployment> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const config = { ...configOf("proxied", url), trustProxy: ["127.0.0.1"] }
    const service = await open(config, await freePort())
    const movies = createServer((request, response) => {
      upstream.push(request.headers)
      const isKnown = request.method === "GET" || request.method === "HEAD"
      response.writeHead(isKnown ? 200 : 405, { "content-type": "application/json" }).end("{}")
    }).listen(0, "127.0.0.1")
    await once(movies, "listening")
    const nginx = await startNginx({
      router: new URL(service.origin).host,
      movies: new URL(originOf(movies)).host,
      port,
      paths: ["/introspect", "/revocations"],
    })
    cleanups.push(nginx.stop, () => end(movies))
    return meansOf(url, config, "/movies/7")
  }

  const direct = await openDirect()
  const proxied = hasNginx ? await openProxied() : undefined
  return {
    folder,
    chain,
    direct,
    proxied,
    upstream,
    logged,
    openSecondInstance: async () => open(direct.config, await freePort()),
    async close() {
      for (const each of cleanups.reverse()) await each()
      await chain.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function credentials(id: string): Credentials {
  return { id, secret: randomBytes(32).toString("base64url") }
}
const hashed = ({ id, secret }: Credentials) => ({
  clientId: id,
  secretSha256: createHash("sha256").update(secret).digest("hex"),
})

const originOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function end(server: Server): Promise<void> {
  if (!server.listening) return
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** A token by client credentials, without a payment. */
export async function tokenOf({ access }: Deployment): Promise<string> {
  const { id, secret } = access.client ?? { id: "", secret: "" }
  const asked = form({ grant_type: "client_credentials", client_id: id, client_secret: secret })
  return String((await send(`${access.url}/token`, asked)).body.access_token)
}
