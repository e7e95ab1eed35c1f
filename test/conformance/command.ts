/** `npm run conformance -- URL`: checks every rule of the standards from outside, and prints the outcomes. */
import { Command, InvalidArgumentError } from "commander"
import { type AccessOptions, OptionError, readAccess } from "./access-options.ts"
import { rules } from "./rules/index.ts"
import { checkRules, isGood, render, type Table } from "./run.ts"
import { createSubject } from "./subject.ts"

const path = (text: string): string => {
  if (!text.startsWith("/")) throw new InvalidArgumentError("wanted a path, such as /movies/1")
  return text
}
const command = new Command("conformance")
  .description("checks the rules of OAuth, JWT, DPoP and HTTP from outside")
  .argument("[url]", "issuer URL of a running service; without it the command starts services of its own")
  .option("--route <path>", "path of a gated GET route of the service", path)
  .option("--account <file>", "file with the private key of a payer; for test networks")
  .option("--network <id>", "CAIP-2 id of the network on which the payer pays", "eip155:11155111")
  .option("--most <amount>", "highest price of one purchase; there are three", "0.05")
  .option("--client <file>", "file with ID:SECRET of a whitelisted client")
  .option("--introspection <file>", "file with ID:SECRET of an introspecting service")
  .option("--keys <folder>", "key folder of a service under test, to sign tokens with one error each")
  .option("--json", "print the findings as one JSON document", false)
  .parse()
const [url] = command.processedArgs as [string | undefined]
const options = command.opts<AccessOptions & { json: boolean }>()

async function checkOwnServices(): Promise<readonly Table[]> {
  const [{ openFixture }, { internalRules }] = await Promise.all([
    import("./fixture.ts"),
    import("./internal/index.ts"),
  ])
  const fixture = await openFixture()
  try {
    const tables: Table[] = []
    const deployments = {
      "a service on a path, without a proxy": fixture.direct,
      "a service behind nginx": fixture.proxied,
    }
    for (const [title, deployment] of Object.entries(deployments))
      if (deployment)
        tables.push({ title, findings: await checkRules(rules, createSubject(deployment.access)) })
    tables.push({
      title: "rules that need access to the deployment",
      findings: await checkRules(internalRules, fixture),
    })
    return tables
  } finally {
    await fixture.close()
  }
}

const checkService = async (issuer: string): Promise<readonly Table[]> => [
  { title: issuer, findings: await checkRules(rules, createSubject(await readAccess(issuer, options))) },
]

try {
  const tables = await (url === undefined ? checkOwnServices() : checkService(url))
  const output = options.json ? JSON.stringify(tables, undefined, 2) : tables.map(render).join("\n\n")
  process.stdout.write(`${output}\n`)
  if (!tables.every(isGood)) process.exitCode = 1
} catch (error) {
  if (!(error instanceof OptionError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 78
}
