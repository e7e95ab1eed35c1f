/**
 * Runs the service in a process of its own, which kills, stops or starves itself at a named step on request.
 */
import { execFileSync } from "node:child_process"
import express from "express"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { createIssuer } from "../../server/app/issuer.ts"
import type { ConfigInput } from "../../server/config/config.ts"

export type ProcessOrder = {
  readonly config: ConfigInput
  readonly port: number
  /** Sends itself SIGKILL at the `count`-th time the step is reached. */
  readonly killAt?: { readonly step: string; readonly count: number }
  /** Stops at the first time the step is reached, until it receives SIGCONT. */
  readonly stopAt?: string
  /**
   * Removes all room on the disk when a step is reached, until a test gives room again; one step after the
   * other.
   */
  readonly fullAt?: readonly string[]
  /** Shorter than the default in tests that start one process after the other. */
  readonly leaseSeconds?: number
}

const order: ProcessOrder = JSON.parse(process.argv[2] ?? "")
let seen = 0
let { stopAt } = order

/** From now on the system refuses every write of this process to a file. */
const fillDisk = () => execFileSync("prlimit", [`--pid=${process.pid}`, "--fsize=0:"])
const fullAt = [...(order.fullAt ?? [])]

const issuer = await createIssuer(order.config, {
  onStep(step) {
    if (step === fullAt[0]) {
      fullAt.shift()
      fillDisk()
    }
    if (step === stopAt) {
      stopAt = undefined
      process.kill(process.pid, "SIGSTOP")
    }
    if (step !== order.killAt?.step) return
    seen += 1
    if (seen === order.killAt.count) process.kill(process.pid, "SIGKILL")
  },
  ...(order.leaseSeconds !== undefined && { worker: { leaseSeconds: order.leaseSeconds } }),
})
const app = express()
app.use(authorizationServer(issuer))
app.get("/movies/:id", gate(issuer, "movies:read"), (req, res) => {
  res.json({ id: req.params.id })
})
const server = app.listen(order.port, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ relayer: issuer.relayer })}\n`)
})
process.once("SIGTERM", () => {
  server.close()
  server.closeAllConnections()
  void issuer.close()
})
