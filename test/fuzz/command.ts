/** `npm run fuzz`: attacks every reader of foreign input with valid things made slightly wrong, and prints the counts. */
import { randomInt } from "node:crypto"
import { Command, InvalidArgumentError } from "commander"
import type { Tally } from "./run.ts"
import { fuzzAll } from "./session.ts"

const whole = (text: string): number => {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("wanted a whole number")
  return Number(text)
}

const options = new Command("fuzz")
  .description("mutates valid input; finds 5xx answers, untyped errors, hangs and growing heaps")
  .option("--inputs <count>", "number of inputs for all targets together", whole, 100_000)
  .option("--seed <number>", "seed of the random part; repeats a run", whole, randomInt(2 ** 30))
  .parse()
  .opts<{ inputs: number; seed: number }>()

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

function describe({ name, inputs, outcomes, slowestMs, heapBefore, heapAfter, violation }: Tally): string {
  const counts = [...outcomes].sort(([, a], [, b]) => b - a).map(([outcome, count]) => `${outcome}: ${count}`)
  return [
    `${violation === undefined ? "held  " : "BROKEN"} ${name}: ${inputs} inputs`,
    `       ${counts.join(", ")}`,
    `       slowest ${slowestMs.toFixed(1)} ms, heap ${mib(heapBefore)} before, ${mib(heapAfter)} after`,
    ...(violation === undefined ? [] : [violation]),
  ].join("\n")
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)
print(`seed ${options.seed}`)
const startedAt = performance.now()
const tallies = await fuzzAll({ ...options, onTally: (tally) => print(describe(tally)) })
const broken = tallies.filter((tally) => tally.violation !== undefined).length
const total = tallies.reduce((sum, tally) => sum + tally.inputs, 0)
const seconds = Math.round((performance.now() - startedAt) / 1000)
const summary = `5xx, untyped errors, hangs, growing heaps: ${broken}`
print(`${total} inputs, ${tallies.length} targets, ${seconds} s; ${summary}; seed ${options.seed}`)
if (broken > 0) process.exitCode = 1
