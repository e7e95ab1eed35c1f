/** Measures the cost of the gate: the same route with and without it, in turn. */
import { type Spread, spreadOf } from "./figures.ts"
import type { Generator } from "./generator.ts"
import type { Load } from "./load.ts"
import type { Service } from "./service.ts"

export type GateFigures = {
  /** Requests per second with the gate over those without it, one for each pair of slices. */
  readonly ratio: Spread
  /** Requests per second with counted calls over those without counting. */
  readonly meteredRatio: Spread
  readonly gated: RouteFigures
  readonly metered: RouteFigures
  readonly open: RouteFigures
  readonly pairs: number
}
/** Latencies in milliseconds, as medians over the slices. */
export type RouteFigures = {
  readonly requestsPerSecond: Spread
  readonly p50: number
  readonly p99: number
}

const pairs = 5
const connections = 32

export async function measureGate(
  service: Service,
  generator: Generator,
  seconds: number,
): Promise<GateFigures> {
  const slice = (route: string, duration = seconds, token = service.token) =>
    generator.ask("requests", {
      url: `${service.url}/${route}/7`,
      headers: { authorization: `Bearer ${token}` },
      seconds: duration,
      connections,
    })
  // The first requests of both kinds run cold code.
  await slice("open", Math.min(1, seconds))
  await slice("gated", Math.min(1, seconds))
  await slice("gated", Math.min(1, seconds), service.meteredToken)
  const gated: Load[] = []
  const metered: Load[] = []
  const open: Load[] = []
  for (let pair = 0; pair < pairs; pair++) {
    gated.push(await slice("gated"))
    metered.push(await slice("gated", seconds, service.meteredToken))
    open.push(await slice("open"))
  }
  return {
    ratio: ratioOf(gated, open),
    meteredRatio: ratioOf(metered, gated),
    gated: figuresOf(gated),
    metered: figuresOf(metered),
    open: figuresOf(open),
    pairs,
  }
}

const ratioOf = (loads: readonly Load[], others: readonly Load[]): Spread =>
  spreadOf(loads.map((load, at) => load.requestsPerSecond / (others[at]?.requestsPerSecond ?? Number.NaN)))

const figuresOf = (loads: readonly Load[]): RouteFigures => ({
  requestsPerSecond: spreadOf(loads.map((load) => load.requestsPerSecond)),
  p50: spreadOf(loads.map((load) => load.p50)).median,
  p99: spreadOf(loads.map((load) => load.p99)).median,
})
