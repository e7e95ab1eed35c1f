/** `serve`: reads the configuration, starts the service, and drains it on SIGTERM or SIGINT. */
import { createServer, type Server } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import type { ErrorRequestHandler, RequestHandler } from "express"
import { authorizationServer, hardenServer, hardServerOptions } from "../adapters/express.ts"
import { createIssuer } from "../app/issuer.ts"
import { createLogger } from "../app/log.ts"
import { ConfigError } from "../config/config.ts"
import type { Logger } from "../ports/runtime.ts"
import { createProxy, type ProxyListener } from "../proxy/proxy.ts"
import { openAdminServer } from "./admin-server.ts"
import { codeOf, configExit, mendableProblems, readConfig } from "./config-file.ts"
import { mountExample } from "./example.ts"
import { listen, urlOf } from "./listen.ts"

/** How long requests under way may take after SIGTERM. */
const drainMilliseconds = 10_000

export type ServeOptions = { readonly config: string; readonly example: boolean }

/** Resolves with the exit code when the service has stopped. */
export async function serve(options: ServeOptions): Promise<number> {
  try {
    return await run(options)
  } catch (error) {
    const problems = mendableProblems(error)
    if (!problems) throw error
    for (const problem of problems) process.stderr.write(`${options.config}: ${problem}\n`)
    return configExit
  }
}

async function run(options: ServeOptions): Promise<number> {
  const express = await loadExpress()
  const stopped = stopSignal()
  const config = await readConfig(options.config)
  // The example shows all there is: a stock x402 client watches a film without knowing of tickets.
  const input = options.example ? { payAtRoutes: true, ...config } : config
  const issuer = await createIssuer(input, { environment: process.env })
  const log = createLogger(issuer.config.logLevel)
  endOnBug(log)
  let proxy: ProxyListener | undefined
  try {
    const app = express()
    app.disable("x-powered-by")
    app.use(authorizationServer(issuer))
    if (options.example) mountExample(app, issuer)
    if (issuer.config.services.length > 0) {
      proxy = await createProxy(issuer, { environment: process.env })
      app.use(withoutNext(proxy))
    }
    app.use(plainErrors(log))
    const server = hardenServer(createServer(hardServerOptions, app), {
      maxConnections: issuer.config.limits.connections,
      keepAliveTimeoutMs: issuer.config.keepAliveSeconds * 1000,
    })
    await explained("listen", issuer.config.listen, listen(server, issuer.config.listen))
    const admin = await explained("admin.listen", issuer.config.admin.listen ?? "", openAdminServer(issuer))
    const { relayer, relayers } = issuer
    process.stdout.write(
      `${JSON.stringify({ listening: urlOf(server), admin: admin.url, relayer, relayers })}\n`,
    )
    await stopped
    issuer.drain()
    await Promise.all([drain(server), admin.close()])
  } finally {
    await proxy?.close()
    await issuer.close()
  }
  return 0
}

/** The last handler: what belongs to no service is answered by the proxy. */
const withoutNext =
  (proxy: ProxyListener): RequestHandler =>
  (req, res) =>
    proxy(req, res)

async function loadExpress() {
  try {
    return (await import("express")).default
  } catch (error) {
    if (codeOf(error) !== "ERR_MODULE_NOT_FOUND") throw error
    throw new ConfigError(["serve needs the package express: npm i express"])
  }
}

/** Names the key of an address that cannot be listened on. */
async function explained<T>(key: string, address: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new ConfigError([
      `${key}: ${address} cannot be listened on (${codeOf(error)}), wanted a free address`,
    ])
  }
}

/** The first SIGTERM or SIGINT; the second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        process.off(signal, stop)
        process.once(signal, () => process.exit(1))
      }
      resolve()
    }
    process.on("SIGTERM", stop)
    process.on("SIGINT", stop)
  })
}

/** A program that does not know its own state must not go on: one line, and the supervisor starts it anew. */
function endOnBug(log: Logger): void {
  const end = (error: unknown) => {
    log.error({ err: error }, "ended by a bug")
    process.exit(1)
  }
  process.on("uncaughtException", end)
  process.on("unhandledRejection", end)
}

/** Express would send the stack of an error, and the paths in it, to the caller. */
const plainErrors =
  (log: Logger): ErrorRequestHandler =>
  (error, _req, res, _next) => {
    const status: unknown = error instanceof Error && "status" in error ? error.status : undefined
    const known = typeof status === "number" && status >= 400 && status < 500
    if (!known) log.error({ err: error }, "a request failed")
    if (res.headersSent) res.destroy()
    else res.status(known ? status : 500).json({ error: known ? "invalid_request" : "server_error" })
  }

/** Stops accepting, waits for requests under way, then closes the remaining connections. */
async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // A connection becomes idle when its answer is out, and would be kept for the next request.
  const sweep = setInterval(() => server.closeIdleConnections(), 100)
  await Promise.race([closed, sleep(drainMilliseconds, undefined, { ref: false })])
  clearInterval(sweep)
  server.closeAllConnections()
  await closed
}
