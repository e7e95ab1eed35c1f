/**
 * Runs one target over many inputs, counts the outcomes, and stops at the first input that breaks a promise.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import fc from "fast-check"

/** A target: its inputs, and the code that receives them. */
export type Target<T = unknown> = {
  readonly name: string
  readonly inputs: fc.Arbitrary<T>
  /** The class of the outcome, e.g. `400`; throws for an outcome that breaks a promise. */
  run(input: T): string | Promise<string>
}

export type Tally = {
  readonly name: string
  readonly inputs: number
  /** How often each outcome occurred. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly slowestMs: number
  /** Bytes on the heap after the warm-up, and after the run. */
  readonly heapBefore: number
  readonly heapAfter: number
  /** The broken promise and the smallest input that breaks it. */
  readonly violation: string | undefined
}

/** An answer that takes longer counts as a hang; the limit is far above the delays of a busy machine. */
const hangMs = 10_000
/** Caches are bounded, so the heap must not grow with the number of inputs. */
const heapGrowthLimit = 48 * 1024 * 1024

export async function fuzz<T>(target: Target<T>, count: number, seed: number): Promise<Tally> {
  const outcomes = new Map<string, number>()
  let inputs = 0
  let slowestMs = 0
  const attack = async (input: T): Promise<void> => {
    inputs += 1
    const startedAt = performance.now()
    const outcome = await withHangLimit(target.run(input))
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
    if (slowestMs > hangMs) throw new Error(`took ${Math.round(slowestMs)} ms`)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  // The warm-up fills the caches and compiles the code before the first measurement of the heap.
  const check = (numRuns: number, from: number) =>
    fc.check(fc.asyncProperty(target.inputs, attack), { seed: from, numRuns })
  const warmUp = Math.min(1000, count >> 2)
  let result = await check(warmUp, seed + 1)
  const heapBefore = await liveHeap()
  if (!result.failed) result = await check(count - warmUp, seed)
  const heapAfter = await liveHeap()
  const grown = heapAfter - heapBefore > heapGrowthLimit
  const violation = result.failed
    ? `${String(result.errorInstance)}\n${fc.defaultReportMessage(result)}`
    : grown
      ? "the heap grows with the inputs"
      : undefined
  return { name: target.name, inputs, outcomes, slowestMs, heapBefore, heapAfter, violation }
}

async function withHangLimit(work: string | Promise<string>): Promise<string> {
  if (typeof work === "string") return work
  let timer: NodeJS.Timeout | undefined
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${hangMs} ms`)), hangMs)
  })
  try {
    return await Promise.race([work, hang])
  } finally {
    clearTimeout(timer)
  }
}

/** Bytes that are still referenced. */
async function liveHeap(): Promise<number> {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  // Bodies of answers are released by finalizers, which run between two collections.
  for (let round = 0; round < 3; round++) {
    collect()
    await nextTurn()
  }
  return process.memoryUsage().heapUsed
}
