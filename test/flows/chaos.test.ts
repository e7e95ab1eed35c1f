import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { everyCall } from "../chaos/at-every-call.ts"
import { noteBooks } from "../chaos/books.ts"
import { fileOf, openLane } from "../chaos/lane.ts"
import { stories, tell } from "../chaos/stories.ts"
import { createTally, isGood, type Row, render } from "../chaos/table.ts"
import { underBlocks } from "../chaos/under-blocks.ts"
import { openWorld, type World } from "../chaos/world.ts"
import { checkInvariants } from "../support/invariants.ts"
import { ask } from "../support/rpc-proxy.ts"

const wrongIn = (rows: readonly Row[]) => rows.flatMap(({ wrong }) => wrong)

describe("the chaos harness, a few of everything", () => {
  it("SET-16, SET-28, SET-30: whatever the node does at any call, the service and the chain agree in the end", async () => {
    const rows = await everyCall({ lanes: 2, every: 97 })
    expect(wrongIn(rows)).toEqual([])
    expect(rows.length).toBeGreaterThan(8)
  }, 300_000)

  it("SET-21, SET-22, SET-32: whatever the chain does to a sale, the service says what the chain holds", async () => {
    const rows = await underBlocks({ worlds: 2, every: 29 })
    expect(wrongIn(rows)).toEqual([])
    expect(rows.length).toBeGreaterThan(2)
  }, 300_000)
})

describe("the chaos harness itself", () => {
  let real: World
  let pretended: World
  beforeAll(async () => {
    ;[real, pretended] = await Promise.all([openWorld(), openWorld()])
  })
  afterAll(() => Promise.all([real.close(), pretended.close()]))

  it("sees a service that calls settled what is not on the chain, in its words and in its books", async () => {
    // The only node shows a chain of its own: nothing can defend a service from that.
    const elsewhere = await openLane(real, {
      intercept: (call) => ask(pretended.chain.rpcUrl, call.text),
    })
    await pretended.chain.fund(elsewhere.service.issuer.relayer)
    const customer = async () => {
      const account = await elsewhere.customer()
      const { chain } = pretended
      await chain.request("anvil_setERC20Balance", [account.address, chain.asset, "0x2710"])
      return account
    }
    const flaws = await tell({ ...elsewhere, customer }, stories[0]!)
    expect(flaws).toEqual([{ kind: "wrongVerdicts", line: "pays: no money came, the service says settled" }])

    const tally = createTally("a node that pretends")
    tally.tried()
    const { payTo } = elsewhere.service
    noteBooks(tally, await checkInvariants(fileOf(elsewhere), real.chain, payTo.address))
    await elsewhere.close()
    const row = tally.row()
    expect(isGood(row)).toBe(false)
    expect(row.moneyDifference).toBe(elsewhere.price)
    expect(row.wrong.join("\n")).toContain("I4")
    expect(render([row])).toMatch(/^a node that pretends +1 +[1-9]\d* +0 +0 +10000$/m)
  }, 60_000)

  it("takes a fault that was never tried for a failure of its own", () => {
    expect(isGood(createTally("nothing").row())).toBe(false)
  })
})
