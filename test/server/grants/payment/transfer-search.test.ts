import { describe, expect, it } from "vitest"
import { parseConfig } from "../../../../server/config/config.ts"
import { createOfferBoard } from "../../../../server/core/offers.ts"
import { locatePayment, matchPayment } from "../../../../server/core/payment.ts"
import { createTransferSearch } from "../../../../server/grants/payment/transfer-search.ts"
import type { Chain } from "../../../../server/ports/chain.ts"
import { Overloaded } from "../../../../server/ports/runtime.ts"
import { configInput } from "../../../support/offers.ts"
import { acceptedOf, randomAccount, signPayment } from "../../../support/payments.ts"

const start = 1_800_000_000
const { offers } = parseConfig(configInput())
const board = createOfferBoard(
  offers.map((offer) => ({ offer, replacedAt: null })),
  900,
)
const payment = async () => {
  const { payload } = await signPayment({
    accepted: acceptedOf(offers[0]!),
    account: randomAccount(),
    now: start,
  })
  return matchPayment(locatePayment(payload), board)
}
const reading = {
  payerCode: null,
  balance: 0n,
  used: true,
  transferred: false,
  received: 0n,
  blockNumber: 10_000n,
  blockTime: start,
}

/** A node that has no log of the nonce, and counts what it is asked. */
function lagging() {
  const asked: bigint[] = []
  const node = { overloaded: false }
  const chain = {
    agreed: () => null,
    async findLogs({ fromBlock }: { fromBlock: bigint }) {
      if (node.overloaded) throw new Overloaded("chain reads")
      asked.push(fromBlock)
      return []
    },
  } as unknown as Chain
  return { chain, asked, node }
}

describe("the search for a transfer", () => {
  it("DOS-02: asks for the logs of a payment once a minute, whatever the number of requests", async () => {
    const { chain, asked } = lagging()
    let now = start
    const find = createTransferSearch({ now: () => now, confirmations: () => 1 })
    const [one, other] = [await payment(), await payment()]
    const ask = (about: typeof one) => find({ chain, payment: about, reading, known: undefined })
    const wait = async (about: typeof one) =>
      await expect(ask(about)).rejects.toMatchObject({ reason: "payment_on_chain" })
    await Promise.all(Array.from({ length: 50 }, () => wait(one)))
    expect(asked).toHaveLength(1)
    await wait(other)
    expect(asked).toHaveLength(2)
    now = start + 59
    await wait(one)
    expect(asked).toHaveLength(2)
    now = start + 60
    await wait(one)
    expect(asked).toHaveLength(3)
  })

  it("DOS-02: looks through the blocks of an hour before the payment's end, and through no others", async () => {
    const { chain, asked } = lagging()
    const about = await payment()
    const find = createTransferSearch({ now: () => start, confirmations: () => 1 })
    await find({ chain, payment: about, reading, known: undefined }).catch(() => {})
    // The payment lasts ten minutes, so 50 minutes before now at 12 s, and 100 blocks beyond.
    expect(asked).toEqual([10_000n - 250n - 100n])
  })

  it("searches again when no node was asked", async () => {
    const { chain, asked, node } = lagging()
    const about = await payment()
    const find = createTransferSearch({ now: () => start, confirmations: () => 1 })
    const ask = () => find({ chain, payment: about, reading, known: undefined })
    node.overloaded = true
    await expect(ask()).rejects.toThrow(Overloaded)
    node.overloaded = false
    await expect(ask()).rejects.toMatchObject({ reason: "payment_on_chain" })
    expect(asked).toHaveLength(1)
  })
})
