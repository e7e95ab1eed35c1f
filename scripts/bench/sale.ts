/** Measures sales: signed payments against the whole service, with settlement on a local chain. */
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { openStore } from "../../server/stores/index.ts"
import { percentile, type Spread, showSpread, spreadOf, withCpu } from "./figures.ts"
import { type Generator, startGenerator } from "./generator.ts"
import type { Sales } from "./load.ts"
import { measureParts, type PartFigures } from "./parts.ts"
import { openService, type Service } from "./service.ts"

export type SaleFigures = {
  readonly tokensPerSecond: Spread
  /** CPU time of one sale in µs, over all threads of the service, until its payment is settled. */
  readonly cpuEach: number
  /** Milliseconds over all slices. */
  readonly p50: number
  readonly p99: number
  readonly sold: number
  readonly parallel: number
  readonly parts: readonly PartFigures[]
}

const slices = 3
const parallel = 16
/** Payments for each second of a slice; the benchmark measures the time that they take. */
const paymentsPerSecond = 60

export async function measureSales(seconds: number): Promise<SaleFigures> {
  const generator = startGenerator()
  const service = await openService()
  try {
    // The parts come before the sales, whose settlement continues for a while.
    const parts = await measureParts(service, Math.max(5, Math.ceil(seconds * 30)))
    return { ...(await sellInSlices(service, generator, seconds)), parts }
  } finally {
    await generator.close()
    await service.close()
  }
}

async function sellInSlices(
  service: Service,
  generator: Generator,
  seconds: number,
): Promise<Omit<SaleFigures, "parts">> {
  const count = Math.max(parallel, Math.ceil(seconds * paymentsPerSecond))
  await generator.ask("prepare", { terms: service.terms, count: count * (slices + 1) })
  const sell = () => generator.ask("sell", { url: `${service.url}/token`, count, parallel })
  await sell()
  await settled(service)
  const sales: Sales[] = []
  const { cpu } = await withCpu(async () => {
    for (let slice = 0; slice < slices; slice++) sales.push(await sell())
    await settled(service)
  })
  const latencies = sales.flatMap((sale) => sale.latencies).sort((a, b) => a - b)
  return {
    tokensPerSecond: spreadOf(sales.map((sale) => sale.sold / sale.seconds)),
    cpuEach: cpu / latencies.length,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    sold: latencies.length,
    parallel,
  }
}

/** Resolves when every payment is settled. */
async function settled({ folder }: Service): Promise<void> {
  const store = await openStore(`sqlite:${join(folder, "ticket402.db")}`)
  try {
    while ((await store.exposure()).unsettled > 0n) await delay(200)
  } finally {
    await store.close()
  }
}

export const showSales = ({ parts, ...sale }: SaleFigures): string[] => [
  `Sale: ${(sale.cpuEach / 1000).toFixed(1)} ms of CPU over all threads, settlement included`,
  `  ${showSpread(sale.tokensPerSecond, 0)} tokens/s end to end, ${sale.parallel} buyers at once, ${sale.sold} sold`,
  `  p50 ${sale.p50.toFixed(1)} ms   p99 ${sale.p99.toFixed(1)} ms; of one sale alone:`,
  ...parts.map(
    ({ name, milliseconds, share }) =>
      `  ${name.padEnd(18)}${milliseconds.toFixed(2).padStart(7)} ms ${(share * 100).toFixed(0).padStart(4)} %`,
  ),
]
