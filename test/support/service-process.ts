/** The service in a process of its own, which ends or stops itself by a signal at a named step when told to. */
import { execFileSync } from "node:child_process"
import express from "express"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { createIssuer } from "../../server/app/issuer.ts"
import type { ConfigInput } from "../../server/config/config.ts"

export type ProcessOrder = {
  readonly config: ConfigInput
  readonly port: number
  /** Dies at the `count`-th time the step is reached. */
  readonly killAt?: { readonly step: string; readonly count: number }
  /** Stands still from the first time the step is reached until it gets SIGCONT. */
  readonly stopAt?: string
  /** Finds no room on the disk from when a step is reached, until it is given room; one step after the other. */
  readonly fullAt?: readonly string[]
  /** Shorter than the default where a test starts one process after the other. */
  readonly leaseSeconds?: number
}

const order: ProcessOrder = JSON.parse(process.argv[2] ?? "")
let seen = 0
let { stopAt } = order

/** From now on the system refuses whatever this process writes to a file. */
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
