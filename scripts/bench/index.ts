/** `npm run bench [-- PART]`: measures the parts of the service, as ratios within one run. */
import { availableParallelism, cpus } from "node:os"
import { Argument, Command, InvalidArgumentError } from "commander"
import { measureCommits, showCommits } from "./commits.ts"
import { measureGate, showGate } from "./gate.ts"
import { measurePostgres, showPostgres } from "./postgres.ts"
import { measureSales, showSales } from "./sale.ts"
import { measureSettlement, showSettlement } from "./settlement.ts"

type Part = {
  /** Seconds of one slice; larger counts follow from it. */
  measure(seconds: number): Promise<unknown>
  show(figures: never): readonly string[]
}

// Each part starts a service or a chain of its own, so that none takes the machine's time from another.
const parts: Readonly<Record<string, Part>> = {
  settlement: { measure: measureSettlement, show: showSettlement },
  gate: { measure: measureGate, show: showGate },
  commits: { measure: measureCommits, show: showCommits },
  sale: { measure: measureSales, show: showSales },
  postgres: { measure: measurePostgres, show: showPostgres },
}

const command = new Command("bench")
  .description("measures the gate, a sale, durable commits and settlement, in about two minutes")
  .addArgument(new Argument("[part]", "only this part").choices(Object.keys(parts)))
  .option("--json", "print the figures as JSON", false)
  .option("--seconds <number>", "seconds of one slice", parseSeconds, 1.5)
  .parse()
const options = command.opts<{ json: boolean; seconds: number }>()

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 10)) throw new InvalidArgumentError("wanted a number above 0, at most 10")
  return seconds
}

const machine = {
  node: process.version,
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  secondsPerSlice: options.seconds,
}
const print = (text: string): void => void process.stdout.write(`${text}\n`)

if (!options.json)
  print(
    `Node ${machine.node}, ${machine.cores} cores (${machine.processor}) shared by server, load generator and chain.\nMedians (least to most); only ratios within one run, and CPU times, mean anything on another machine.`,
  )
const figures: Record<string, unknown> = { ...machine }
for (const [name, part] of Object.entries(parts)) {
  if (command.args[0] !== undefined && command.args[0] !== name) continue
  figures[name] = await part.measure(options.seconds)
  if (!options.json) print(`\n${part.show(figures[name] as never).join("\n")}`)
}
if (options.json) print(JSON.stringify(figures, null, 2))
