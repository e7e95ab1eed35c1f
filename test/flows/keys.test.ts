import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { keys as keysCommand } from "../../server/commands/keys.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { parseConfig } from "../../server/config/config.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { runCommand } from "../support/command.ts"
import { freePort } from "../support/free-port.ts"
import { createExternalSigner, openAgedKeys, readRing } from "../support/key-folder.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { acceptedOf, randomAccount, signPayment } from "../support/payments.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  watch,
} from "../support/service.ts"
import { type ServiceProcess, spawnService } from "../support/spawn-service.ts"

let chain: LocalChain
let folder: string
let config: ConfigInput
let urls: string[]
let services: ServiceProcess[] = []
let seller: Parameters<typeof preparePurchase>[0]

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  folder = await mkdtemp(join(tmpdir(), "rotation-"))
  const ports = [await freePort(), await freePort()]
  urls = ports.map((port) => `http://127.0.0.1:${port}`)
  config = configInput({
    issuer: urls[0]!,
    payTo: randomAccount().address,
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    limits: {
      perPayer: "1000",
      newPayer: 1000,
      total: "1000",
      requestsPerPeer: 1_000_000,
      requestsPerToken: 1_000_000,
    },
  })
  await writeFile(join(folder, "config.json"), JSON.stringify(config))
  await openAgedKeys(join(folder, "keys"))
  seller = { accepted: acceptedOf(parseConfig(config).offers[0]!), url: urls[0]! }
  services = await Promise.all(ports.map((port) => spawnService({ config, port })))
  await chain.fund(services[0]!.relayer)
})
afterAll(async () => {
  await Promise.all(services.map((each) => each.kill("SIGTERM")))
  await chain.stop()
  await rm(folder, { recursive: true, force: true })
})

const configFile = () => join(folder, "config.json")
/** Runs the command in this process, which saves its start-up time. */
async function keys(task: Parameters<typeof keysCommand>[0], kid?: string) {
  const [lines, warnings]: string[][] = [[], []]
  const code = await keysCommand(
    task,
    { config: configFile(), ...(kid !== undefined && { kid }) },
    {
      environment: {},
      now: () => Math.floor(Date.now() / 1000),
      print: (line) => lines?.push(line),
      warn: (line) => warnings?.push(line),
    },
  )
  return { code, stderr: warnings?.join("\n"), lines: (lines ?? []).map((line) => JSON.parse(line)) }
}
async function buy() {
  const account = randomAccount()
  await chain.mint(account.address, 10_000n)
  const { status, body } = await postToken(urls[0]!, (await preparePurchase(seller, account)).headers)
  expect(status).toBe(200)
  return body
}
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString()).kid
const kidsAt = async (url: string): Promise<string[]> =>
  (await (await fetch(`${url}/.well-known/jwks.json`)).json()).keys.map(({ kid }: { kid: string }) => kid)

describe("two processes on one key folder", () => {
  it("KEY-05: refuse no token or refresh during a rotation under load", async () => {
    const first = await buy()
    const [active, next] = await kidsAt(urls[0]!)
    expect(kidOf(first.access_token)).toBe(active)

    let rotating = true
    const statuses: number[] = []
    const kids = new Set<string>()
    /** Refreshes at one process and calls the other, alternately. */
    async function load(at: number) {
      let held = await buy()
      // At least six rounds, however fast the command runs.
      for (let round = 0; rotating || round < 6 || kidOf(held.access_token) === active; round++) {
        const gated = await watch(urls[(at + round + 1) % 2]!, held.access_token)
        const answer = await refresh(urls[(at + round) % 2]!, held.refresh_token)
        statuses.push(gated.status, answer.status)
        if (answer.status !== 200) return
        held = answer.body
        kids.add(kidOf(held.access_token))
      }
      statuses.push((await watch(urls[at % 2]!, held.access_token)).status)
    }
    const loads = [load(0), load(1), load(2), load(3)]
    // In a process of its own, as an operator runs it.
    const rotated = await runCommand("scripts/ticket402.ts", ["keys", "rotate", "-c", configFile()]).ended
    rotating = false
    await Promise.all(loads)

    expect(rotated).toMatchObject({ code: 0, stderr: "" })
    const listed = rotated.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect((await keys("list")).lines).toEqual(listed)
    expect(listed.filter(({ use }) => use === "access").map(({ kid, state }) => [kid, state])).toEqual([
      [active, "retiring"],
      [next, "active"],
      [expect.any(String), "next"],
    ])
    expect(statuses.length).toBeGreaterThan(40)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect([...kids].sort()).toEqual([active, next].sort())
    expect(await watch(urls[1]!, first.access_token)).toMatchObject({ status: 200 })
    await eventually(
      () => Promise.all(urls.map(kidsAt)),
      ([one, other]) => JSON.stringify(one) === JSON.stringify(other),
    )
    expect(await keys("rotate")).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/try again in \d+ s/),
    })
  }, 60_000)

  it("TOK-26: refuse tokens of a removed key within 5 s while grants live on", async () => {
    const held = await buy()
    const kid = kidOf(held.access_token)
    expect(await Promise.all(urls.map((url) => watch(url, held.access_token)))).toMatchObject([
      { status: 200 },
      { status: 200 },
    ])
    expect(await keys("remove", kid)).toMatchObject({ code: 0, lines: [{ removed: kid }] })
    const from = performance.now()
    for (const url of urls)
      await eventually(
        () => watch(url, held.access_token),
        ({ status, body }) => status === 401 && body.reason === "token_invalid",
      )
    expect(performance.now() - from).toBeLessThan(5000)
    for (const url of urls) expect(await kidsAt(url)).not.toContain(kid)
    expect((await readRing(join(folder, "keys"))).removed).toMatchObject([{ id: kid }])
    // The next key was published moments ago, so both processes may answer 503 for some seconds.
    const fresh = await eventually(
      () => refresh(urls[1]!, held.refresh_token, {}),
      ({ status }) => status === 200,
    )
    expect((await watch(urls[0]!, fresh.body.access_token)).status).toBe(200)
    expect(await keys("remove", kid)).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/there is no key/),
    })
  })
})

describe("a service with an external signer", () => {
  it("loses no payment when the signer fails, and redeems none meanwhile", async () => {
    const signer = createExternalSigner()
    let time = Math.floor(Date.now() / 1000)
    const service = await openService({ chain, issuer: { signer, now: () => time } })
    const purchase = await preparePurchase(service, await service.customer())
    signer.fault = new Error("the KMS is away: secret detail")
    const failed = await postToken(service.url, purchase.headers)
    expect(failed).toMatchObject({
      status: 503,
      body: { reason: "signer_unavailable", next: { action: "retry" } },
    })
    expect(JSON.stringify(failed.body)).not.toContain("secret detail")
    // A payment without proof of retry is refused instead of redeemed without a token.
    const { payload, transfer } = await signPayment({
      accepted: service.accepted,
      account: await service.customer(),
    })
    const plain = { [paymentSignatureHeader]: encodeHeader(payload) }
    expect(await postToken(service.url, plain)).toMatchObject({ status: 503 })
    expect(await service.balanceOf(transfer.payer)).toBe(1_000_000n)

    delete signer.fault
    const again = await postToken(service.url, retryHeaders(purchase))
    expect(again).toMatchObject({ status: 200, body: { grant: { settlement: {} } } })
    expect(again.headers.get("idempotent-replayed")).toBe("true")
    expect(kidOf(again.body.access_token)).toBe(signer.kid)
    expect((await watch(service.url, again.body.access_token)).status).toBe(200)
    time += 5
    expect((await postToken(service.url, plain)).status).toBe(200)
    await service.close()
  })
})
