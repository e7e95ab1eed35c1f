import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Checkout, copyCheckout, type Shell } from "./support/checkout.ts"
import { type Step, stepsOf } from "./support/documents.ts"
import { freePort } from "./support/free-port.ts"
import { eventually } from "./support/service.ts"

type Account = { readonly address: string; readonly privateKey: string }
type Chain = { readonly accounts: readonly [payTo: Account, relayer: Account, agent: Account] }

let checkout: Checkout
let ports: { readonly service: number; readonly chain: number }
let accounts: Chain["accounts"]
const shells: Shell[] = []

/** Changes nothing of a step but ports and accounts. */
const here = (text: string): string =>
  text
    .replaceAll("8402", String(ports.service))
    .replaceAll("8545", String(ports.chain))
    .replace("npm run chain", `npm run chain -- --port ${ports.chain}`)
    .replace("0xRelayerKey", () => accounts[1].privateKey)
    .replace("0xAgentKey", () => accounts[2].privateKey)

function open(step: Step | undefined, folder?: string): Shell {
  if (step?.kind !== "run") throw new Error("wanted commands to run")
  const shell = checkout.run(here(step.commands), folder)
  shells.push(shell)
  return shell
}

async function save(step: Step | undefined, folder: string, change = here): Promise<void> {
  if (step?.kind !== "save") throw new Error("wanted a file to save")
  await writeFile(join(checkout.folder, folder, step.file), change(step.body))
}

beforeAll(async () => {
  ports = { service: await freePort(), chain: await freePort() }
  checkout = await copyCheckout()
}, 60_000)
afterAll(async () => {
  for (const shell of shells.reverse()) await shell.stop()
  await checkout.remove()
})

describe("the steps of the documents, from empty folders", () => {
  it("README: the seller refuses the placeholder, then sells", async () => {
    const [start, makeFolder, seller, run] = stepsOf("README.md", "Sell an API")
    const chain = open(start)
    accounts = (JSON.parse(await chain.lineWith('{"rpcUrl"')) as Chain).accounts
    await open(makeFolder).ended
    await save(seller, "seller")
    await expect(open(run, "seller").ended).rejects.toThrow(
      'payTo: found "0xYourAddress", wanted an address of your own that receives the money',
    )
    await save(seller, "seller", (body) => here(body).replace("0xYourAddress", accounts[0].address))
    open(run, "seller")
    const status = () =>
      fetch(`http://127.0.0.1:${ports.service}/movies/7`).then(
        (answer) => answer.status,
        () => 0,
      )
    await eventually(status, (found) => found === 402)
  }, 120_000)

  it("README: the agent buys and gets the content", async () => {
    const [makeFolder, agent, run] = stepsOf("README.md", "Buy from an agent")
    await open(makeFolder).ended
    await save(agent, "agent")
    expect(await open(run, "agent").ended).toBe('200 {"id":"7"}\n')
  }, 60_000)

  it("recipe: a CommonJS file buys and gets the content", async () => {
    const [makeFolder, agent, run] = stepsOf("docs/recipes.md", "CommonJS")
    await open(makeFolder).ended
    await save(agent, "commonjs")
    expect(await open(run, "commonjs").ended).toBe('200 {"id":"7"}\n')
  }, 60_000)

  it("recipe: a project without DOM types compiles", async () => {
    const [makeFolder, config, agent, run] = stepsOf("docs/recipes.md", "TypeScript without DOM types")
    await open(makeFolder).ended
    await save(config, "types")
    await save(agent, "types")
    expect(await open(run, "types").ended).toBe("")
  }, 60_000)
})
