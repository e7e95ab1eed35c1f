import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { everyCall } from "../chaos/at-every-call.ts"
import { noteBooks } from "../chaos/books.ts"
import { type FastChain, openFastChain } from "../chaos/fast-chain.ts"
import { fileOf, openLane } from "../chaos/lane.ts"
import { runScenario, scenarios } from "../chaos/scenarios.ts"
import { createTally, isGood, type Row, render } from "../chaos/table.ts"
import { underBlocks } from "../chaos/under-blocks.ts"
import { checkInvariants } from "../support/invariants.ts"
import { ask } from "../support/rpc-proxy.ts"

const wrongIn = (rows: readonly Row[]) => rows.flatMap(({ wrong }) => wrong)

describe("the chaos harness on a sample", () => {
  it("SET-16, SET-28, SET-30: ends in agreement after any node fault at any call", async () => {
    const rows = await everyCall({ lanes: 4, every: 297 })
    expect(wrongIn(rows)).toEqual([])
    expect(rows.length).toBeGreaterThan(8)
  }, 300_000)

  it("SET-21, SET-22, SET-32: ends in agreement after any chain fault", async () => {
    const rows = await underBlocks({ chains: 2, every: 29 })
    expect(wrongIn(rows)).toEqual([])
    expect(rows.length).toBeGreaterThan(2)
  }, 300_000)
})

describe("the chaos harness itself", () => {
  let real: FastChain
  let falseWorld: FastChain
  beforeAll(async () => {
    ;[real, falseWorld] = await Promise.all([openFastChain(), openFastChain()])
  })
  afterAll(() => Promise.all([real.close(), falseWorld.close()]))

  it("reports a service that calls a missing payment settled", async () => {
    // The only node shows another chain: no service can defend itself against that.
    const deceived = await openLane(real, {
      intercept: (call) => ask(falseWorld.chain.rpcUrl, call.text),
    })
    await falseWorld.chain.fund(deceived.service.issuer.relayer)
    const customer = async () => {
      const account = await deceived.customer()
      const { chain } = falseWorld
      await chain.request("anvil_setERC20Balance", [account.address, chain.asset, "0x2710"])
      return account
    }
    const flaws = await runScenario({ ...deceived, customer }, scenarios[0]!)
    expect(flaws).toEqual([{ kind: "wrongVerdicts", line: "pays: no money came, the service says settled" }])

    const tally = createTally("a node with a false chain")
    tally.tried()
    const { payTo } = deceived.service
    noteBooks(tally, await checkInvariants(fileOf(deceived), real.chain, payTo.address))
    await deceived.close()
    const row = tally.row()
    expect(isGood(row)).toBe(false)
    expect(row.moneyDifference).toBe(deceived.price)
    expect(row.wrong.join("\n")).toContain("I4")
    expect(render([row])).toMatch(/^a node with a false chain +1 +[1-9]\d* +0 +0 +10000$/m)
  }, 60_000)

  it("counts a fault without tries as a failure", () => {
    expect(isGood(createTally("nothing").row())).toBe(false)
  })
})
