import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runCommand } from "../support/command.ts"
import { freePort } from "../support/free-port.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { offer } from "../support/service.ts"

let chain: LocalChain
let folder: string
beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  folder = await mkdtemp(join(tmpdir(), "serve-"))
})
afterAll(async () => {
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

async function configFile(name: string, changes: object): Promise<string> {
  const file = join(folder, `${name}.json`)
  const port = await freePort()
  const config = {
    ...configInput({
      issuer: `http://127.0.0.1:${port}`,
      listen: `127.0.0.1:${port}`,
      ...storedIn(join(folder, name)),
      networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
      offers: [offer("hour", "movies:read", "0.01"), offer("studio", "movies:write", "0.05")],
    }),
    ...changes,
  }
  await writeFile(file, JSON.stringify(config))
  return file
}
const serve = (...args: string[]) => runCommand("scripts/ticket402.ts", ["serve", ...args])

describe("ticket402 serve", () => {
  it("prints one JSON line, serves the example and exits with 0 on SIGTERM", async () => {
    const command = serve("--config", await configFile("good", {}), "--example")
    const { listening, relayer } = JSON.parse(await command.firstLine())
    expect(relayer).toMatch(/^0x[0-9a-fA-F]{40}$/)
    expect(((await (await fetch(listening)).json()) as { films: number }).films).toBe(10)
    expect((await fetch(`${listening}/movies/1`)).status).toBe(402)
    expect((await fetch(`${listening}/movies`, { method: "POST" })).status).toBe(402)
    command.kill("SIGTERM")
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    expect(stdout.trim().split("\n")).toHaveLength(1)
    await expect(fetch(listening)).rejects.toThrow()
  })

  it("sells nothing while the relayer has no gas, with reason relayer_unfunded", async () => {
    const command = serve("--config", await configFile("unfunded", {}), "--example")
    const { listening, relayer } = JSON.parse(await command.firstLine())
    const { preparePurchase, postToken } = await import("../support/service.ts")
    const { randomAccount } = await import("../support/payments.ts")
    const quote = (await (await fetch(`${listening}/token`, { method: "POST" })).json()) as {
      accepts: never[]
    }
    const account = randomAccount()
    await chain.mint(account.address, 1_000_000n)
    const purchase = await preparePurchase({ accepted: quote.accepts[0]!, url: listening }, account)
    expect(await postToken(listening, purchase.headers)).toMatchObject({
      status: 503,
      body: { reason: "relayer_unfunded" },
    })
    await chain.fund(relayer)
    const { eventually } = await import("../support/service.ts")
    const answer = await eventually(
      () => postToken(listening, purchase.headers),
      ({ status }) => status !== 503,
    )
    expect(answer.status).toBe(200)
    command.kill("SIGINT")
    expect((await command.ended).code).toBe(0)
  })

  it("opens the admin address for the first process, and warns in the second", async () => {
    const port = await freePort()
    const tokens = [{ name: "ops", file: join(folder, "ops.token"), role: "read" }]
    const admin = { listen: `127.0.0.1:${port}`, tokens }
    const first = serve("--config", await configFile("first", { admin }))
    const { admin: url } = JSON.parse(await first.firstLine())
    expect(url).toBe(`http://127.0.0.1:${port}`)
    const second = serve("--config", await configFile("second", { admin, logLevel: "warn" }))
    expect(JSON.parse(await second.firstLine()).admin).toBeUndefined()
    const authorization = `Bearer ${(await readFile(join(folder, "ops.token"), "utf8")).trim()}`
    expect((await fetch(`${url}/api/payments`, { headers: { authorization } })).status).toBe(200)
    expect((await fetch(`${url}/api/payments`)).status).toBe(401)
    for (const command of [first, second]) command.kill("SIGTERM")
    expect((await first.ended).code).toBe(0)
    const { code, stderr } = await second.ended
    expect(code).toBe(0)
    expect(stderr).toContain("the admin address is taken")
  })

  it("exits with 78 and names the key, the value found and the value wanted", async () => {
    const cases: [string, object, RegExp][] = [
      ["unknown", { isuer: "x" }, /isuer: unknown key, did you mean "issuer"\?/],
      ["pay-to", { payTo: "0x1" }, /payTo: found "0x1", wanted an address/],
      [
        "digits",
        {
          offers: [
            {
              id: "a",
              scope: "s",
              durationSeconds: 1,
              prices: [{ network: sepoliaId, asset: "USDC", amount: "0.0000001" }],
            },
          ],
        },
        /the asset has 6/,
      ],
      [
        "wrong-chain",
        {
          networks: { "eip155:8453": { rpcUrls: [chain.rpcUrl] } },
          offers: [
            {
              id: "a",
              scope: "s",
              durationSeconds: 1,
              prices: [{ network: "eip155:8453", asset: "USDC", amount: "0.01" }],
            },
          ],
        },
        /networks\.eip155:8453\.rpcUrls: .*(11155111|chain)/,
      ],
    ]
    for (const [name, changes, message] of cases) {
      const { code, stdout, stderr } = await serve("--config", await configFile(name, changes)).ended
      expect(stderr, name).toMatch(message)
      expect(code, name).toBe(78)
      expect(stdout, name).toBe("")
      expect(stderr, name).not.toContain("    at ")
    }
    const text = join(folder, "text.json")
    await writeFile(text, "{ not json")
    expect((await serve("--config", text).ended).stderr).toMatch(/is not JSON/)
    expect((await serve("--config", join(folder, "missing.json")).ended).stderr).toMatch(
      /cannot be read \(ENOENT\)/,
    )
  })

  it("SET-34: refuses a node whose asset has another EIP-712 domain", async () => {
    const other = await startLocalChain({ blockTimeSeconds: 0 })
    // PUSH1 32, PUSH0, RETURN: returns 32 zero bytes as the domain separator.
    await other.request("anvil_setCode", [other.asset, "0x60205ff3"])
    const file = await configFile("domain", { networks: { [sepoliaId]: { rpcUrls: [other.rpcUrl] } } })
    const { code, stderr } = await serve("--config", file).ended
    await other.stop()
    expect(code).toBe(78)
    expect(stderr).toMatch(/domain/i)
    expect(stderr).not.toContain(other.rpcUrl)
  })

  it("refuses an address in use", async () => {
    const file = await configFile("taken", {})
    const first = serve("--config", file)
    await first.firstLine()
    const second = await serve("--config", file).ended
    expect(second.code).toBe(78)
    expect(second.stderr).toMatch(/listen: .* \(EADDRINUSE\)/)
    first.kill("SIGTERM")
    expect((await first.ended).code).toBe(0)
  })
})
