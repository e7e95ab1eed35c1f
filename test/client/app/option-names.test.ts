/** Misspelt options are refused wherever the client takes options: an ignored one leaves a limit open. */
import { expect, test } from "vitest"
import { createDispatcher } from "../../../client/adapters/undici.ts"
import { tokenHook } from "../../../client/adapters/x402.ts"
import {
  createProviderSigner,
  createRemoteSigner,
  createVerifier,
  installFetch,
  Ticket402Error,
} from "../../../client/index.ts"
import { createFileStore } from "../../../client/node/index.ts"
import { buyer, setup, startedAt, terms } from "../../support/client-setup.ts"

const { options } = terms({ now: startedAt })
const misspelt = (changes: object) => async () => buyer({ now: startedAt }, changes as never)
const budget = { perPurchase: "0.05", perDay: "1" }
const address = "0x1111111111111111111111111111111111111111"

test.each<[string, () => Promise<unknown>, string]>([
  ["createClient", misspelt({ payPerCal: true }), 'did you mean "payPerCall"'],
  ["budget", misspelt({ budget: { ...budget, totl: "1" } }), 'budget.totl is unknown, did you mean "total"'],
  ["allow", misspelt({ allow: { origin: [] } }), 'did you mean "origins"'],
  ["createDispatcher", async () => createDispatcher({ ...options, budgets: budget } as never), '"budget"'],
  ["createVerifier", async () => createVerifier({ isuer: "https://a.example" } as never), '"issuer"'],
  ["tokenHook", async () => tokenHook(fetch, { origins: "https://a.example" } as never), '"origin"'],
  ["installFetch", async () => installFetch({ fetch }, { origin: [] } as never), '"origins"'],
  ["createFileStore", async () => createFileStore({ fil: "/tmp/x" } as never), '"file"'],
  [
    "createRemoteSigner",
    async () => createRemoteSigner({ url: "https://a.example", adress: address } as never),
    '"address"',
  ],
  [
    "createProviderSigner",
    async () => createProviderSigner({ request: async () => [] }, { adress: address } as never),
    '"address"',
  ],
])("%s refuses an unknown option and names the nearest", async (_name, create, nearest) => {
  const error = await create().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Ticket402Error)
  expect(error).toMatchObject({ code: "option_invalid", message: expect.stringContaining(nearest) })
})

test("the plans of a call refuse an unknown name before anything is sent", async () => {
  const { client, seller } = await setup()
  const plans = { expectedCall: 5 } as never
  await expect(client.fetch(`${seller.url}/movies/7`, {}, plans)).rejects.toThrow('"expectedCalls"')
  await expect(client.dryRun(`${seller.url}/movies/7`, {}, plans)).rejects.toThrow('"expectedCalls"')
  await expect(client.derive(`${seller.url}/movies/7`, { call: 5 } as never)).rejects.toThrow('"calls"')
  await expect(client.topUp(`${seller.url}/movies/7`, { ofer: "a" } as never)).rejects.toThrow('"offer"')
  expect(seller.requests).toEqual([])
})
