import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { parseConfig } from "../../server/config/config.ts"
import { startLocalChain } from "../support/chain/local-chain.ts"
import { freePort } from "../support/free-port.ts"
import { checkInvariants } from "../support/invariants.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { acceptedOf, randomAccount } from "../support/payments.ts"
import { eventually, postToken, preparePurchase } from "../support/service.ts"
import { spawnService } from "../support/spawn-service.ts"

it("MI-04, MI-05: a paused worker resumes fenced and uses no second nonce", async () => {
  const chain = await startLocalChain({ blockTimeSeconds: 0 })
  const folder = await mkdtemp(join(tmpdir(), "paused-"))
  const payTo = randomAccount().address
  const database = join(folder, "ticket402.db")
  const [first, second] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${second}`
  const config = configInput({
    issuer: url,
    payTo,
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
  })
  const seller = { accepted: acceptedOf(parseConfig(config).offers[0]!), url }
  const sell = async (port: number) => {
    const account = randomAccount()
    await chain.mint(account.address, 10_000n)
    const { headers } = await preparePurchase(seller, account)
    expect((await postToken(`http://127.0.0.1:${port}`, headers)).status).toBe(200)
  }
  const settled = (paid: number) =>
    eventually(
      () => checkInvariants(database, chain, payTo),
      (found) => found.open === 0 && found.paid === paid,
      30,
    )
  const paused = await spawnService({ config, port: first, leaseSeconds: 1, stopAt: "signed" })
  await chain.fund(paused.relayer)
  // The answer comes when the process continues, at the latest.
  const sold = sell(first)
  // The state of a process follows its name.
  await eventually(
    () => readFile(`/proc/${paused.pid}/stat`, "utf8"),
    (stat) => /\) T /.test(stat),
  )
  const other = await spawnService({ config, port: second, leaseSeconds: 1 })
  try {
    await settled(1)
    process.kill(paused.pid, "SIGCONT")
    await sold
    await sell(second)
    expect((await settled(2)).broken).toEqual([])
    const nonce = await chain.request("eth_getTransactionCount", [paused.relayer, "latest"])
    expect(Number(nonce)).toBe(2)
  } finally {
    process.kill(paused.pid, "SIGCONT")
    await Promise.all([paused.kill("SIGTERM"), other.kill("SIGTERM")])
    await chain.stop()
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)
