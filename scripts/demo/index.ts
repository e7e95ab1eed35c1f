/** `npm run demo`: shows the whole of ticket402 on a local chain, with fresh accounts. */
import { createHash, randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Command } from "commander"
import express from "express"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { authorizationServer, hardenServer, hardServerOptions } from "../../server/adapters/express.ts"
import { createIssuer, type Issuer } from "../../server/app/issuer.ts"
import { mountExample } from "../../server/commands/example.ts"
import { type LocalChain, startLocalChain } from "../../test/support/chain/local-chain.ts"
import { createScreen } from "../../test/support/screen.ts"
import type { Staff } from "./internal.ts"
import { playDemo } from "./story.ts"

const network = "eip155:11155111"
const preferredPort = 8402

/** All running parts, and a function that ends them. */
type TestService = {
  chain: LocalChain
  issuer: Issuer
  url: string
  payTo: `0x${string}`
  staff: Staff
  close(): Promise<void>
}

async function openService(blockTimeSeconds: number): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), "ticket402-demo-"))
  const chain = await startLocalChain({ blockTimeSeconds, accounts: 1 })
  const app = express()
  const server = hardenServer(createServer(hardServerOptions, app))
  const url = `http://127.0.0.1:${await listen(server)}`
  const { address: payTo } = chain.accounts[0] ?? { address: chain.asset }
  const staff: Staff = {
    service: { clientId: "reporting", secret: randomBytes(32).toString("base64url") },
    account: privateKeyToAccount(generatePrivateKey()),
  }
  const issuer = await createIssuer({
    issuer: url,
    payTo,
    database: `sqlite:${join(folder, "ticket402.db")}`,
    keys: join(folder, "keys"),
    relayer: { privateKeyFile: join(folder, "relayer.key") },
    networks: { [network]: { rpcUrls: [chain.rpcUrl] } },
    offers: [
      {
        id: "hour",
        scope: "movies:read",
        durationSeconds: 3600,
        prices: [{ network, asset: "USDC", amount: "0.01" }],
      },
    ],
    whitelist: [
      {
        clientId: staff.service.clientId,
        secretSha256: createHash("sha256").update(staff.service.secret).digest("hex"),
        scope: "movies:read",
      },
      { address: staff.account.address, scope: "movies:read" },
    ],
    payAtRoutes: true,
    // Short, so that the first refresh happens within seconds; the default is a minute.
    pendingLifeSeconds: 10,
    logLevel: "error",
  })
  await chain.fund(issuer.relayer)
  app.disable("x-powered-by")
  app.use(authorizationServer(issuer))
  mountExample(app, issuer)
  return {
    chain,
    issuer,
    url,
    payTo,
    staff,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await issuer.close()
      await chain.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Listens on the port of the README, or on any other when that one is taken. */
function listen(server: Server): Promise<number> {
  const at = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once("error", reject)
      server.listen(port, "127.0.0.1", () => {
        server.off("error", reject)
        resolve((server.address() as AddressInfo).port)
      })
    })
  return at(preferredPort).catch(() => at(0))
}

const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    process.once("SIGINT", () => resolve())
    process.once("SIGTERM", () => resolve())
  })

const options = new Command("demo")
  .description("shows the whole of ticket402 on a local chain, without configuration")
  .option("--once", "end after the story instead of serving on", false)
  .parse()
  .opts<{ once: boolean }>()

const stopped = stopSignal()
const screen = createScreen((line) => process.stdout.write(`${line}\n`), process.stdout.isTTY === true)
screen.title("ticket402: one signature buys an hour, and the money arrives in the background")
const service = await screen.step(
  "A local chain with Sepolia's chain id, and a service that sells films",
  async () => {
    const opened = await openService(2)
    screen.fact("chain", `${network}, a block every 2 s, USDC at ${opened.chain.asset}`)
    screen.fact("service", opened.url)
    screen.fact("relayer", `${opened.issuer.relayer} (pays gas, never holds the money)`)
    return opened
  },
)
try {
  const told = playDemo(screen, { ...service, network })
  const token = await Promise.race([told, stopped])
  if (!options.once && token !== undefined) {
    screen.title("The service keeps running. Try:")
    screen.plain(`  curl -i ${service.url}/movies/1`)
    screen.plain(`  curl -s -X POST ${service.url}/token`)
    screen.plain(`  curl -s ${service.url}/.well-known/oauth-authorization-server`)
    screen.plain(`  curl -s -H "Authorization: Bearer ${token}" ${service.url}/movies/7`)
    screen.plain("\nCtrl-C ends everything.")
    await stopped
  }
} finally {
  await service.close()
}
