/** Asks two nodes about a large payment and accepts only answers that agree (SET-29). */
import { least } from "../core/fees.ts"
import type { TransferReading } from "../core/verdict.ts"
import { type Chain, type Receipt, Unwitnessed } from "../ports/chain.ts"
import type { Logger } from "../ports/runtime.ts"
import type { Nodes, Question, Reading } from "./nodes.ts"
import * as ask from "./questions.ts"

export type AgreementOptions = {
  readonly network: string
  readonly nodes: Pick<Nodes, "askTwo">
  readonly clock: () => number
  readonly log: Logger
}

/** One alarm a minute, because a waiting payment is read every second. */
const alarmEveryMs = 60_000

export function createAgreement(options: AgreementOptions): Pick<Chain, "readTransfer" | "receipt"> {
  const { network, nodes, clock, log } = options
  const alarmedAt = new Map<string, number>()

  function alarm(message: string): void {
    if (clock() - (alarmedAt.get(message) ?? Number.NEGATIVE_INFINITY) < alarmEveryMs) return
    alarmedAt.set(message, clock())
    log.error({ network }, message)
  }

  function contradicted(): Unwitnessed {
    alarm("two nodes contradict each other about a payment; nothing is decided")
    return new Unwitnessed("two nodes do not say the same")
  }

  async function askTwo<T>(what: string, question: Question<T>): Promise<readonly [Reading<T>, Reading<T>]> {
    try {
      return await nodes.askTwo(what, question)
    } catch (error) {
      if (error instanceof Unwitnessed) alarm("a large payment waits until a second node answers")
      throw error
    }
  }

  return {
    async readTransfer(input) {
      const [{ value: one }, { value: other }] = await askTwo("about a payment", ask.readTransfer(input))
      if (gist(one, input.transfer.value) !== gist(other, input.transfer.value)) throw contradicted()
      // The other values may differ by a block or two: the worse one counts.
      return {
        ...one,
        balance: least(one.balance, other.balance),
        received: least(one.received, other.received),
        blockNumber: least(one.blockNumber, other.blockNumber),
        blockTime: Math.min(one.blockTime, other.blockTime),
      }
    },

    async receipt(hash) {
      const [one, other] = await askTwo("for a receipt", ask.receipt(hash))
      if (one.value && other.value) {
        if (substance(one.value) !== substance(other.value)) throw contradicted()
        return one.value
      }
      const found = one.value ?? other.value
      const head = (one.value ? other : one).block ?? 0n
      // A node that has the block and no receipt contradicts the other one; a node that lags is waited for.
      if (found && head >= found.blockNumber) throw contradicted()
      return null
    },
  }
}

/** The facts that a verdict depends on. */
const gist = ({ payerCode, used, balance, transferred, received }: TransferReading, value: bigint): string =>
  [payerCode, used, balance >= value, transferred && received >= value].join()

const substance = ({ blockHash, success, logs }: Receipt): string =>
  JSON.stringify([blockHash, success, logs])
