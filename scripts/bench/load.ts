/** Generates load in a process of its own, so that it takes no time from the measured server. */
import autocannon from "autocannon"
import { type PreparedPayment, preparePayments, type SalesTerms } from "./payments.ts"

export type Load = {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50: number
  readonly p99: number
}
export type Sales = {
  readonly sold: number
  readonly seconds: number
  /** Milliseconds in ascending order. */
  readonly latencies: readonly number[]
}
export type Orders = {
  /** Sends as many requests as possible over some connections. */
  requests: { url: string; headers: Record<string, string>; seconds: number; connections: number }
  /** Signs payments and keeps them for later. */
  prepare: { terms: SalesTerms; count: number }
  /** Sends a number of prepared payments, some in parallel, each once. */
  sell: { url: string; count: number; parallel: number }
}
export type Results = { requests: Load; prepare: number; sell: Sales }
export type Letter<K extends keyof Orders = keyof Orders> = { readonly kind: K; readonly order: Orders[K] }
export type Reply = { readonly result: Results[keyof Results] } | { readonly error: string }

const prepared: PreparedPayment[] = []

async function requests({ url, headers, seconds, connections }: Orders["requests"]): Promise<Load> {
  // autocannon reads its clock at this interval in milliseconds, whatever the length of the slice.
  const sampleInt = Math.min(1000, seconds * 1000)
  const result = await autocannon({ url, headers, connections, duration: seconds, sampleInt })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refusals and ${result.errors} errors, wanted none`)
  const { p50, p99 } = result.latency
  const requests = result.requests.total
  return { requests, requestsPerSecond: requests / result.duration, p50, p99 }
}

async function prepare({ terms, count }: Orders["prepare"]): Promise<number> {
  prepared.push(...(await preparePayments(terms, count)))
  return prepared.length
}

async function sell({ url, count, parallel }: Orders["sell"]): Promise<Sales> {
  const queue = prepared.splice(0, count)
  const latencies: number[] = []
  const startedAt = performance.now()
  const buyer = async () => {
    for (let payment = queue.pop(); payment; payment = queue.pop()) {
      const before = performance.now()
      const response = await fetch(url, { method: "POST", headers: payment.headers })
      const body = await response.text()
      if (response.status !== 200) throw new Error(`${url}: ${response.status} ${body.slice(0, 200)}`)
      latencies.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: parallel }, buyer))
  const seconds = (performance.now() - startedAt) / 1000
  return { sold: latencies.length, seconds, latencies: latencies.sort((a, b) => a - b) }
}

function carryOut(letter: Letter): Promise<Results[keyof Results]> {
  switch (letter.kind) {
    case "requests":
      return requests(letter.order as Orders["requests"])
    case "prepare":
      return prepare(letter.order as Orders["prepare"])
    case "sell":
      return sell(letter.order as Orders["sell"])
  }
}

process.on("message", (letter: Letter) => {
  void carryOut(letter)
    .then(
      (result): Reply => ({ result }),
      (error: unknown): Reply => ({ error: String(error) }),
    )
    .then((reply) => process.send?.(reply))
})
process.on("disconnect", () => process.exit())
