import fc from "fast-check"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { createEvmChain } from "../../../server/chains/evm.ts"
import type { Settlement } from "../../../server/settlement/settlement.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { type LocalChain, startLocalChain } from "../../support/chain/local-chain.ts"
import { type RpcProxy, startRpcProxy } from "../../support/rpc-proxy.ts"
import { openSettlementRig, price, type Sale, type SettlementRig } from "../../support/settlement-rig.ts"

let node: LocalChain
let proxy: RpcProxy
let rig: SettlementRig
let settlement: Settlement

beforeAll(async () => {
  node = await startLocalChain({ blockTimeSeconds: 0, accounts: 0 })
  await node.request("evm_setAutomine", [false])
  proxy = await startRpcProxy(node.rpcUrl)
})
afterAll(async () => {
  await proxy.close()
  await node.stop()
})
beforeEach(async () => {
  rig = await openSettlementRig(node)
  const chain = createEvmChain({ network: sepolia, assets: sepolia.assets, rpcUrls: [proxy.url] })
  settlement = rig.open({ chain }, { batchSize: 1 })
})
afterEach(() => {
  proxy.intercept = undefined
})

const wording = fc.constantFrom(
  "VM execution error.",
  "revert",
  "execution reverted",
  "Error: VM Exception while processing transaction: reverted with an unrecognized custom error",
  "header not found",
  "insufficient funds for transfer",
  "nonce too low",
  "rate limit exceeded",
  "",
)
const data = fc.constantFrom("Reverted 0x", "0x", "0x08c379a0", null, 7, { txHash: "0x", data: "0x" }, [])
/** Neither a rate limit nor a missing method: those say something about every request. */
const code = fc.constantFrom<unknown>(3, -32015, -32000, -32003, -32600, -32603, 1, 0, -1, "3", "x", null)
const error = fc.record({ code, message: wording, data }, { requiredKeys: [] })
const answer = fc.oneof(
  { weight: 3, arbitrary: error.map((each) => ({ error: each })) },
  fc.constantFrom<unknown>("no", 5, true).map((each) => ({ error: each })),
  fc.constantFrom<unknown>(null, "", "oops", 5, [], {}, true).map((result) => ({ result })),
  fc.constant({}),
)
/** The same thirty answers in every run. */
const oddAnswers = fc.sample(answer, { numRuns: 30, seed: 402 })

/** Answers requests of the method whose text holds one of these words with the odd answer of that word. */
function answerOddly(methods: readonly string[], words: readonly string[]): void {
  proxy.intercept = async ({ asked, text }, forward) => {
    const at = words.findIndex((word) => text.toLowerCase().includes(word.slice(2).toLowerCase()))
    const [request] = asked
    if (at < 0 || !request || !methods.includes(request.method)) return forward()
    return { status: 200, body: JSON.stringify({ jsonrpc: "2.0", id: request.id, ...oddAnswers[at] }) }
  }
}

const payersOf = (sales: readonly Sale[]) => sales.map(({ payer }) => payer)
const states = async (sales: readonly Sale[]) =>
  new Set(await Promise.all(sales.map(async (sale) => (await rig.row(sale)).state)))

async function settleAndMine(rounds = 2): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await rig.settleAll(settlement)
    await rig.mine()
  }
  await rig.settleAll(settlement)
}

describe("SET-50: odd answers about some payments", () => {
  it("to their simulation stop no other payment and fail none", async () => {
    const odd = await rig.sell(oddAnswers.length)
    const others = await rig.sell(3)
    answerOddly(["eth_estimateGas"], payersOf(odd))
    await settleAndMine()
    expect(await states(others)).toEqual(new Set(["paid"]))
    expect(await states(odd)).toEqual(new Set(["accepted"]))
    proxy.intercept = undefined
    rig.advanceClock(60)
    await settleAndMine()
    expect(await states(odd)).toEqual(new Set(["paid"]))
    expect(await rig.received()).toBe(BigInt(odd.length + others.length) * price)
  })

  it("to their simulation and their chain read stop no other payment and fail none", async () => {
    const odd = await rig.sell(oddAnswers.length)
    const others = await rig.sell(3)
    answerOddly(["eth_estimateGas", "eth_call"], payersOf(odd))
    await settleAndMine()
    expect(await states(others)).toEqual(new Set(["paid"]))
    expect(await states(odd)).toEqual(new Set(["accepted"]))
    proxy.intercept = undefined
    rig.advanceClock(60)
    await settleAndMine()
    expect(await states(odd)).toEqual(new Set(["paid"]))
  })

  it("to the simulation of cheats leave the verdict to the chain read", async () => {
    const cheats = await rig.sell(3)
    for (const cheat of cheats) await rig.emptyBalance(cheat)
    const others = await rig.sell(1)
    answerOddly(["eth_estimateGas"], payersOf(cheats))
    await settleAndMine()
    rig.advanceClock(60)
    await settleAndMine()
    expect(await states(others)).toEqual(new Set(["paid"]))
    for (const cheat of cheats) expect((await rig.row(cheat)).failure).toBe("insufficient_funds")
  })

  it("to the search for their logs stop no other payment", async () => {
    const used = await rig.sell(oddAnswers.length)
    await rig.settleAll(rig.open({}, { batchSize: 1 }))
    await rig.mine()
    const others = await rig.sell(3)
    const hashes = (await rig.inFlight()).map(({ transaction }) => transaction.versions[0]?.hash ?? "0x")
    answerOddly(["eth_getTransactionReceipt"], hashes)
    await settleAndMine()
    expect(await states(others)).toEqual(new Set(["paid"]))
    expect(await states(used)).toEqual(new Set(["sent"]))
    proxy.intercept = undefined
    await settleAndMine()
    expect(await states(used)).toEqual(new Set(["paid"]))
  })

  it("to their transactions stop no other payment, and the same bytes are sent again", async () => {
    const sales = await rig.sell(4)
    // Of the payment that is sent last, because a missing nonce holds up all later ones.
    const last = sales.at(-1)?.payer.slice(2) ?? ""
    const broke = { error: { code: -32000, message: "insufficient funds for gas * price + value" } }
    const replies = [broke, ...oddAnswers.filter((each) => "error" in each)]
    let at = 0
    proxy.intercept = async ({ asked, text }, forward) => {
      const [request] = asked
      const isOdd = request?.method === "eth_sendRawTransaction" && text.includes(last)
      if (!isOdd) return forward()
      const reply = replies[at++ % replies.length]
      return { status: 200, body: JSON.stringify({ jsonrpc: "2.0", id: request.id, ...reply }) }
    }
    await settleAndMine()
    expect((await rig.inFlight()).length).toBeGreaterThan(0)
    expect(await rig.chain.nonceOf(rig.relayer.address)).toBe(3)
    expect(rig.logged).not.toContain("the relayer has no gas")
    proxy.intercept = undefined
    for (let round = 0; round < 4; round += 1) {
      rig.advanceClock(31)
      await settleAndMine()
    }
    expect(await states(sales)).toEqual(new Set(["paid"]))
  })
})
