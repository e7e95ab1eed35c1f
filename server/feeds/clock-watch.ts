/** Watches the clock of this server against the block times of every network that is read. */
import { type ClockSkew, isNotable, leastSkew, type SeenBlock, seeBlock } from "../core/clock-skew.ts"
import type { Chain } from "../ports/chain.ts"
import type { Logger, Now } from "../ports/runtime.ts"

export type ClockWatch = {
  /** The chain, with the blocks of its answers noted. */
  watch(chain: Chain): Chain
  /** 0 until a new block was seen. */
  skew(): ClockSkew
}

export function createClockWatch({ now, log }: { readonly now: Now; readonly log: Logger }): ClockWatch {
  const blocks = new Map<string, SeenBlock>()
  let isReported = false

  const skew = () => leastSkew([...blocks.values()].map((block) => block.skew))

  function note({ network }: Chain, number: bigint, time: number): void {
    blocks.set(
      network.id,
      seeBlock(blocks.get(network.id), { number, time, now: now() }, network.blockSeconds),
    )
    if (isNotable(skew()) === isReported) return
    isReported = !isReported
    const fields = { skewSeconds: skew() }
    if (isReported)
      log.error(
        fields,
        "the clock of this server and the chain differ; payments seem to come too early or too late",
      )
    else log.info(fields, "the clock of this server and the chain agree again")
  }

  return {
    skew,
    watch: (chain) => ({
      ...chain,
      async head() {
        const head = await chain.head()
        note(chain, head.number, head.time)
        return head
      },
      async readTransfer(query) {
        const reading = await chain.readTransfer(query)
        note(chain, reading.blockNumber, reading.blockTime)
        return reading
      },
    }),
  }
}
