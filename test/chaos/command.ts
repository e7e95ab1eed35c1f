/** `npm run chaos`: does to the service all that nodes, chains, machines and customers do, and prints what went wrong (nothing). */
import { randomInt } from "node:crypto"
import { Command, InvalidArgumentError, Option } from "commander"
import { sections } from "./sections.ts"
import { isGood, type Row, render } from "./table.ts"

const whole = (text: string): number => {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("wanted a whole number")
  return Number(text)
}

const options = new Command("chaos")
  .description(
    "injects every fault at every step; finds wrong verdicts, stuck jobs, double effects and lost money",
  )
  .addOption(new Option("--only <section>", "run one section").choices(Object.keys(sections)))
  .option("--quick", "a few faults of each kind", false)
  .option("--kills <count>", "kills at random moments, beside one at each named step", whole, 24)
  .option("--seed <number>", "seed of the random part; repeats a run", whole, randomInt(2 ** 30))
  .option("--json", "print the table as one JSON document", false)
  .parse()
  .opts<{ only?: string; quick: boolean; kills: number; seed: number; json: boolean }>()

const say = (text: string): void => void process.stderr.write(`${text}\n`)
const startedAt = performance.now()
const seconds = () => Math.round((performance.now() - startedAt) / 1000)
const rows: Row[] = []
say(`seed ${options.seed}`)
for (const [name, run] of Object.entries(sections)) {
  if (options.only !== undefined && options.only !== name) continue
  let tenths = 0
  const onProgress = (done: number, all: number) => {
    const now = Math.floor((done * 10) / all)
    if (now === tenths) return
    tenths = now
    say(`${String(seconds()).padStart(4)} s  ${name}  ${done} of ${all}`)
  }
  rows.push(...(await run({ ...options, onProgress })))
}

const wrong = rows.flatMap((row) => (row.tries === 0 ? [`${row.fault}: was never tried`] : row.wrong))
const write = (text: string): void => void process.stdout.write(`${text}\n`)
if (options.json) {
  const figures = rows.map((row) => ({ ...row, moneyDifference: row.moneyDifference.toString() }))
  write(JSON.stringify({ seed: options.seed, seconds: seconds(), rows: figures, wrong }, undefined, 2))
} else {
  write(render(rows))
  for (const { fault, note } of rows) if (note !== undefined) write(`${fault}: ${note}`)
  for (const line of wrong) write(`WRONG  ${line}`)
  write(`${seconds()} s`)
}
if (!rows.every(isGood)) process.exitCode = 1
