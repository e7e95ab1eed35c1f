/** A misspelt key of `costs` is found at the first health probe, before a buyer pays for a shut gate. */
import { once } from "node:events"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import express, { type Express } from "express"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { authorizationServer } from "../../server/adapters/express.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { eventually, openService, postToken, preparePurchase, watch } from "../support/service.ts"

const express4 = createRequire(import.meta.url)("express4") as () => Express

let chain: LocalChain
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
})
afterAll(() => chain.stop())

const health = async (url: string, name: "live" | "ready") => {
  const answer = await fetch(`${url}/health/${name}`)
  return { status: answer.status, reason: (await answer.json()).reason }
}

describe.each([
  ["express 5", express],
  ["express 4", express4],
])("a cost whose key names no route, on %s", (_name, framework) => {
  it("ends readiness and sales at the first request, until the route exists", async () => {
    const problems: unknown[] = []
    const error = (fields: object) => void ("problems" in fields && problems.push(fields.problems))
    const log = { debug() {}, info() {}, warn() {}, error }
    const costs = { "GET /movie/{id}": 5 }
    const service = await openService({ chain, framework, config: { costs }, issuer: { log } })
    try {
      expect(await health(service.url, "ready")).toEqual({ status: 503, reason: "misconfigured" })
      expect(problems).toEqual([
        [`costs.GET /movie/{id}: found no route of that name, did you mean "GET /movies/{id}"?`],
      ])
      const { headers } = await preparePurchase(service, await service.customer())
      expect(await postToken(service.url, headers)).toMatchObject({
        status: 503,
        body: { reason: "misconfigured", next: { action: "retry" } },
      })
      expect((await watch(service.url)).status).toBe(503)
      expect((await health(service.url, "live")).status).toBe(200)
      expect(problems).toHaveLength(1)

      service.app.get("/movie/:id", (_req, res) => void res.json({}))
      await eventually(
        () => health(service.url, "ready"),
        ({ status }) => status === 200,
      )
      expect((await postToken(service.url, headers)).status).toBe(200)
    } finally {
      await service.close()
    }
  })

  it("is no fault of an application without gates, such as a process that only sells", async () => {
    const service = await openService({ chain, config: { costs: { "GET /elsewhere": 5 } } })
    const server = createServer(framework().use(authorizationServer(service.issuer))).listen(0, "127.0.0.1")
    await once(server, "listening")
    try {
      const { port } = server.address() as AddressInfo
      const ready = () => health(`http://127.0.0.1:${port}`, "ready")
      expect((await eventually(ready, ({ status }) => status === 200)).status).toBe(200)
      expect((await health(service.url, "ready")).reason).toBe("misconfigured")
    } finally {
      server.close().closeAllConnections()
      await service.close()
    }
  })
})
