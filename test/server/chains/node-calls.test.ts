import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import { networks } from "../../../shared/networks/index.ts"

const network = networks.get("eip155:11155111")!
const account = `0x${"11".repeat(20)}` as const

it("each call to a node is reported as answered, refused or failed, with its place and method", async () => {
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (part) => {
      body += part
    })
    request.on("end", () => {
      const { id, method } = JSON.parse(body) as { id: number; method: string }
      const error = { code: -32000, message: "header not found" }
      const isChainId = method === "eth_chainId"
      response.end(
        JSON.stringify({ jsonrpc: "2.0", id, ...(isChainId ? { result: "0xaa36a7" } : { error }) }),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const calls: string[] = []
  const chain = createEvmChain({
    ...{ network, assets: [], rpcUrls: [`http://127.0.0.1:${port}`] },
    onCall: (place, method, outcome, ms) => {
      expect(ms).toBeGreaterThanOrEqual(0)
      calls.push(`${place} ${method} ${outcome}`)
    },
  })
  await expect(chain.gasBalance(account)).rejects.toThrow("refused")
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await expect(chain.gasBalance(account)).rejects.toThrow("no node answered")
  // A node that has just failed is asked for its chain id again.
  expect(calls.slice(0, 3)).toEqual([
    "1 eth_chainId answered",
    "1 eth_getBalance refused",
    "1 eth_getBalance failed",
  ])
  chain.close()
})
