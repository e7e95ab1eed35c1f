/** `npm run conformance -- URL`: looks from outside for every rule of the standards, and prints what is kept. */
import { Command, InvalidArgumentError } from "commander"
import { type Given, GivenError, readMeans } from "./given.ts"
import { rules } from "./rules/index.ts"
import { isGood, look, render, type Table } from "./run.ts"
import { createSubject } from "./subject.ts"

const path = (text: string): string => {
  if (!text.startsWith("/")) throw new InvalidArgumentError("wanted a path, such as /movies/1")
  return text
}
const command = new Command("conformance")
  .description("every rule of OAuth, JWT, DPoP and HTTP that ticket402 keeps, looked at from outside")
  .argument(
    "[url]",
    "public URL of a running service, its issuer; without it services are started to look at",
  )
  .option("--route <path>", "a gated GET route, below the service's origin", path)
  .option("--account <file>", "private key of an account that pays; for test networks")
  .option("--network <id>", "CAIP-2 id of the one network that is paid on", "eip155:11155111")
  .option("--most <amount>", "what one purchase may cost; there are three", "0.05")
  .option("--client <file>", "ID:SECRET of a client that gets tokens without paying")
  .option("--introspection <file>", "ID:SECRET of a service that may ask about tokens")
  .option("--keys <folder>", "the service's key folder, to sign tokens that are wrong in one thing")
  .option("--json", "the findings as one JSON document", false)
  .parse()
const [url] = command.processedArgs as [string | undefined]
const options = command.opts<Given & { json: boolean }>()

async function lookAtHome(): Promise<readonly Table[]> {
  const [{ openFixture }, { insideRules }] = await Promise.all([
    import("./fixture.ts"),
    import("./inside/index.ts"),
  ])
  const fixture = await openFixture()
  try {
    const tables: Table[] = []
    const places = {
      "a service by itself, on a path": fixture.direct,
      "a service behind nginx": fixture.proxied,
    }
    for (const [title, place] of Object.entries(places))
      if (place) tables.push({ title, findings: await look(rules, createSubject(place.means)) })
    tables.push({ title: "what only its owner sees", findings: await look(insideRules, fixture) })
    return tables
  } finally {
    await fixture.close()
  }
}

const lookAt = async (place: string): Promise<readonly Table[]> => [
  { title: place, findings: await look(rules, createSubject(await readMeans(place, options))) },
]

try {
  const tables = await (url === undefined ? lookAtHome() : lookAt(url))
  const said = options.json ? JSON.stringify(tables, undefined, 2) : tables.map(render).join("\n\n")
  process.stdout.write(`${said}\n`)
  if (!tables.every(isGood)) process.exitCode = 1
} catch (error) {
  if (!(error instanceof GivenError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 78
}
