/** Asks the registry for known flaws of the packages that users install; goes on where it cannot be asked. */
import { spawnSync } from "node:child_process"

const { stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], { encoding: "utf8", timeout: 60_000 })
const flaws = readFlaws(stdout)
if (flaws === undefined) {
  process.stderr.write("the registry could not be asked for known flaws: nothing is known of the packages\n")
} else {
  for (const flaw of flaws) process.stderr.write(`${flaw}\n`)
  process.stdout.write(`packages with known flaws: ${flaws.length}\n`)
  if (flaws.length > 0) process.exitCode = 1
}

/** One line for each package; undefined where npm has no report. */
function readFlaws(text: string): readonly string[] | undefined {
  try {
    const { vulnerabilities } = JSON.parse(text) as { vulnerabilities?: Record<string, { severity: string }> }
    return (
      vulnerabilities && Object.entries(vulnerabilities).map(([name, { severity }]) => `${name}: ${severity}`)
    )
  } catch {
    return undefined
  }
}
