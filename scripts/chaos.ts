/** `npm run chaos`: kills the service again and again under load, and prints what was lost, doubled or owed. */
import { randomInt } from "node:crypto"
import { Command, InvalidArgumentError } from "commander"
import { crashPoints, runChaos } from "./chaos/run.ts"

const whole = (text: string): number => {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("wanted a whole number")
  return Number(text)
}

const options = new Command("chaos")
  .description("SIGKILL at every named step and at random moments; nothing is lost, nothing is settled twice")
  .option("--kills <count>", "at random moments, beside one at each named step", whole, 60)
  .option("--seed <number>", "of the random moments", whole, randomInt(2 ** 30))
  .parse()
  .opts<{ kills: number; seed: number }>()

const print = (text: string): void => void process.stdout.write(`${text}\n`)
print(`seed ${options.seed}`)
const startedAt = performance.now()
let count = 0
const report = await runChaos({
  ...options,
  onKill: (where) => print(`${String(++count).padStart(4)}  killed ${where}`),
})
const { findings, wrong } = report
const rows: readonly (readonly [string, string | number | bigint])[] = [
  ["kills", report.kills],
  ["crash points covered", `${report.covered.length}/${crashPoints.length}`],
  ["payments", report.sales],
  ["acknowledged before a kill", report.acknowledged],
  ["acknowledged and lost", report.lost],
  ["settled twice", findings.settledTwice],
  ["tokens without a row", report.tokensWithoutRow],
  ["sum owed", findings.owed],
  ["sum received", findings.received],
  ["difference", findings.owed - findings.received],
  ["seconds", Math.round((performance.now() - startedAt) / 1000)],
]
for (const [label, value] of rows) print(`${label.padEnd(28)} ${value}`)
for (const line of wrong) print(`WRONG  ${line}`)
if (wrong.length > 0) process.exitCode = 1
