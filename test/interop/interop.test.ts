import { afterAll, beforeAll, expect, it } from "vitest"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { clients } from "./clients/index.ts"
import { ticket402 } from "./clients/ticket402.ts"
import { isFair, runServer, tableOf } from "./matrix.ts"
import { mppxEvm } from "./servers/mppx.ts"
import { ticket402AtRoutes, ticket402Gate, ticket402TokenEndpoint } from "./servers/ticket402.ts"
import { x402Express } from "./servers/x402-express.ts"
import { x402ExpressV1 } from "./servers/x402-express-v1.ts"

let chain: LocalChain
beforeAll(async () => {
  chain = await startLocalChain({ network: "base-sepolia", blockTimeSeconds: 0, accounts: 0 })
})
afterAll(() => chain.stop())

/** Answered calls and payments of each client. */
const summary = async (server: typeof ticket402AtRoutes) => {
  const cells = await runServer(chain, server, clients)
  expect(cells.filter((cell) => !isFair(cell))).toEqual([])
  return Object.fromEntries(cells.map(({ client, answered, payments }) => [client, [answered, payments]]))
}

it("stock clients pay for each call at the business URL; clients of tokens pay once", async () => {
  expect(await summary(ticket402AtRoutes)).toEqual({
    ticket402: [3, 1],
    "@x402/fetch + hook": [3, 1],
    "@x402/fetch": [3, 3],
    "@x402/axios": [3, 3],
    "x402-fetch (v1)": [3, 3],
    mppx: [3, 3],
  })
})

it("stock clients that are sent to the token endpoint pay once", async () => {
  expect(await summary(ticket402TokenEndpoint)).toEqual({
    "@x402/fetch": [3, 1],
    "@x402/axios": [3, 1],
    "x402-fetch (v1)": [3, 1],
    mppx: [3, 1],
  })
})

it("a gate that sells nothing is paid only by clients that find the token endpoint", async () => {
  expect(await summary(ticket402Gate)).toEqual({
    ticket402: [3, 1],
    "@x402/fetch + hook": [3, 1],
    "@x402/fetch": [0, 0],
    "@x402/axios": [0, 0],
    "x402-fetch (v1)": [0, 0],
    mppx: [0, 0],
  })
})

it.each([x402Express, x402ExpressV1, mppxEvm])(
  "our client pays a server of $name once for each call",
  async (server) => {
    const cells = await runServer(chain, server, [ticket402])
    expect(cells).toMatchObject([{ answered: 3, payments: 3 }])
  },
)

it("a payment without content, too many payments and free content are unfair", () => {
  const cell = { client: "c", server: "s", calls: 3 }
  expect(isFair({ ...cell, answered: 0, payments: 1 })).toBe(false)
  expect(isFair({ ...cell, answered: 3, payments: 4 })).toBe(false)
  expect(isFair({ ...cell, answered: 2, payments: 2 })).toBe(false)
  expect(isFair({ ...cell, answered: 3, payments: 0 })).toBe(false)
  expect(tableOf([{ ...cell, answered: 0, payments: 1 }])).toContain("| `c` | no content, 1 PAID |")
})
