import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createIssuer } from "../../../server/app/issuer.ts"
import type { ConfigInput } from "../../../server/config/config.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { configInput, sepoliaId, storedIn } from "../../support/offers.ts"
import { randomAccount } from "../../support/payments.ts"

let chain: LocalChain
let folder: string
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  folder = await mkdtemp(join(tmpdir(), "start-line-"))
})
afterAll(async () => {
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

type Line = { readonly level: string; readonly message: string; readonly fields: Record<string, unknown> }

/** Starts and stops a service; all of them share one relayer key. */
async function startOf(changes: Partial<ConfigInput>): Promise<{ relayer: string; lines: readonly Line[] }> {
  const lines: Line[] = []
  const note = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, fields, message })
  const log = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") }
  const input = configInput({
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    ...changes,
  })
  const issuer = await createIssuer(input, { log })
  await issuer.close()
  return { relayer: issuer.relayer, lines }
}

const saleIn = (lines: readonly Line[]) => lines.filter(({ message }) => message.includes("on sale"))
const aboutPayTo = (lines: readonly Line[]) => lines.filter(({ message }) => message.startsWith("payTo is"))

describe("the start of a service", () => {
  it("logs once the offers on sale, the price, the recipient and the relayer's gas", async () => {
    const payTo = randomAccount().address
    const { relayer } = await startOf({ payTo })
    await chain.request("anvil_setBalance", [relayer, "0x6f05b59d3b20000"])
    const { lines } = await startOf({ payTo })
    expect(saleIn(lines)).toEqual([
      {
        level: "info",
        message: "these offers are on sale",
        fields: {
          offers: ["hour: movies:read for 3600 s, 0.01 USDC on Sepolia"],
          payTo: payTo.toLowerCase(),
          gas: [{ network: sepoliaId, relayer, coins: "0.5" }],
        },
      },
    ])
    expect(aboutPayTo(lines)).toEqual([])
  })

  it("logs the offers without waiting for a node that is down", async () => {
    const { lines } = await startOf({ networks: { [sepoliaId]: { rpcUrls: ["http://127.0.0.1:9"] } } })
    expect(saleIn(lines)).toMatchObject([{ fields: { gas: [{ coins: null }] } }])
  })

  it("warns when the money goes to the relayer, whose key is on the machine", async () => {
    const { relayer } = await startOf({})
    const { lines } = await startOf({ payTo: relayer })
    expect(aboutPayTo(lines)).toMatchObject([{ level: "warn", fields: { payTo: relayer } }])
  })
})
