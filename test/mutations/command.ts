/** `npm run mutations`: removes the defences one by one and prints which test noticed; every one must be noticed. */
import { Command, InvalidArgumentError } from "commander"
import { collectMutations } from "./collect.ts"
import { runMutations } from "./run.ts"

const whole = (text: string): number => {
  if (!/^[1-9][0-9]?$/.test(text)) throw new InvalidArgumentError("wanted a whole number")
  return Number(text)
}

const options = new Command("mutations")
  .description("removes one defence at a time, and expects the tests that guard it to fail")
  .option("--lanes <count>", "number of mutations that run at the same time", whole, 2)
  .option("--only <text>", "run only defences or files whose name contains this text", "")
  .parse()
  .opts<{ lanes: number; only: string }>()

const print = (text: string): void => void process.stdout.write(`${text}\n`)
const chosen = (await collectMutations()).filter(({ defence, file }) =>
  `${defence} ${file}`.includes(options.only),
)
const outcomes = await runMutations(chosen, options.lanes, ({ mutation, verdict, seconds }) => {
  const { defence, file, test, name } = mutation
  print(`${verdict.padEnd(10)} ${defence} (${file}) -> ${test} "${name}" ${seconds.toFixed(1)} s`)
})
const killed = outcomes.filter(({ verdict }) => verdict === "killed").length
print(`killed ${killed}/${chosen.length}`)
if (killed < chosen.length || killed === 0) process.exitCode = 1
