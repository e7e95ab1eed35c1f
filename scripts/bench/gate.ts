/** Measures the cost of the gate: the same route with and without it, in turn. */
import { type Spread, showSpread, spreadOf, withCpu } from "./figures.ts"
import { type Generator, startGenerator } from "./generator.ts"
import type { Load } from "./load.ts"
import { openService, type Service } from "./service.ts"

export type GateFigures = {
  /** CPU time of a request without the gate over that of one with it, one for each round of slices. */
  readonly ratio: Spread
  /** The same with counted calls. */
  readonly meteredRatio: Spread
  readonly gated: RouteFigures
  readonly metered: RouteFigures
  readonly open: RouteFigures
  readonly rounds: number
}
/** Latencies in milliseconds, as medians over the slices. */
export type RouteFigures = {
  /** CPU time of one request over all threads of the server, in µs. */
  readonly cpuEach: Spread
  readonly requestsPerSecond: Spread
  readonly p50: number
  readonly p99: number
}

const rounds = 5
const connections = 32

/** A slice of load, and the CPU time of each of its requests in µs. */
type Slice = Load & { readonly cpuEach: number }

export async function measureGate(seconds: number): Promise<GateFigures> {
  const generator = startGenerator()
  const service = await openService()
  try {
    return await measureRoutes(service, generator, seconds)
  } finally {
    await generator.close()
    await service.close()
  }
}

async function measureRoutes(service: Service, generator: Generator, seconds: number): Promise<GateFigures> {
  const slice = async (route: string, token = service.token, duration = seconds): Promise<Slice> => {
    const order = {
      url: `${service.url}/${route}/7`,
      headers: { authorization: `Bearer ${token}` },
      seconds: duration,
      connections,
    }
    const { result, cpu } = await withCpu(() => generator.ask("requests", order))
    return { ...result, cpuEach: cpu / result.requests }
  }
  // The first requests of each kind run cold code.
  const warmUp = Math.min(1, seconds)
  await slice("open", service.token, warmUp)
  await slice("gated", service.token, warmUp)
  await slice("gated", service.meteredToken, warmUp)
  const [gated, metered, open]: [Slice[], Slice[], Slice[]] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    open.push(await slice("open"))
    gated.push(await slice("gated"))
    metered.push(await slice("gated", service.meteredToken))
  }
  return {
    ratio: ratioOf(open, gated),
    meteredRatio: ratioOf(open, metered),
    gated: figuresOf(gated),
    metered: figuresOf(metered),
    open: figuresOf(open),
    rounds,
  }
}

const ratioOf = (slices: readonly Slice[], others: readonly Slice[]): Spread =>
  spreadOf(slices.map(({ cpuEach }, at) => cpuEach / (others[at]?.cpuEach ?? Number.NaN)))

const figuresOf = (slices: readonly Slice[]): RouteFigures => ({
  cpuEach: spreadOf(slices.map(({ cpuEach }) => cpuEach)),
  requestsPerSecond: spreadOf(slices.map(({ requestsPerSecond }) => requestsPerSecond)),
  p50: spreadOf(slices.map(({ p50 }) => p50)).median,
  p99: spreadOf(slices.map(({ p99 }) => p99)).median,
})

export function showGate({ ratio, meteredRatio, gated, metered, open, rounds }: GateFigures): string[] {
  const route = (name: string, { cpuEach, requestsPerSecond, p50, p99 }: RouteFigures) =>
    `  ${name.padEnd(10)}${showSpread(cpuEach, 0).padEnd(20)} µs of CPU   ${showSpread(requestsPerSecond, 0).padEnd(22)} requests/s   p50 ${p50} ms   p99 ${p99} ms`
  return [
    `Gate: a route without it takes ${showSpread(ratio)} of the CPU time of the same route with it, ${rounds} rounds`,
    `  where calls are counted ${showSpread(meteredRatio)}`,
    route("open", open),
    route("gated", gated),
    route("metered", metered),
  ]
}
