/** Starts the measured service: a local chain, SQLite, and one route with and without the gate. */
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import express, { type Request, type Response } from "express"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { createIssuer, type Issuer } from "../../server/app/issuer.ts"
import type { PaymentRequirements } from "../../shared/x402/messages.ts"
import { type LocalChain, startLocalChain } from "../../test/support/chain/local-chain.ts"
import { preparePayments, type SalesTerms } from "./payments.ts"

const network = "eip155:11155111"
/** A limit that no measurement reaches: a limited rate would measure the limit. */
const plenty = 1_000_000

export type Service = {
  readonly chain: LocalChain
  readonly issuer: Issuer
  readonly url: string
  readonly folder: string
  readonly terms: SalesTerms
  /** A token that the gate has already seen. */
  readonly token: string
  /** A token with counted calls. */
  readonly meteredToken: string
  close(): Promise<void>
}

export async function openService(): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), "ticket402-bench-"))
  const chain = await startLocalChain({ blockTimeSeconds: 1, accounts: 20 })
  const app = express()
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = await createIssuer({
    issuer: url,
    payTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
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
      {
        id: "calls",
        scope: "movies:read",
        durationSeconds: 3600,
        calls: plenty * plenty,
        prices: [{ network, asset: "USDC", amount: "0.02" }],
      },
    ],
    pendingLifeSeconds: 3600,
    limits: {
      queue: plenty,
      perPayer: String(plenty),
      newPayer: plenty,
      total: String(plenty),
      requestsPerPeer: plenty,
      requestsPerPayer: plenty,
      requestsPerToken: plenty,
    },
    logLevel: "error",
  })
  await chain.fund(issuer.relayer)
  app.disable("x-powered-by")
  app.use(authorizationServer(issuer))
  const film = (req: Request, res: Response) => {
    res.json({ id: req.params.id, title: "The General" })
  }
  app.get("/gated/:id", gate(issuer, "movies:read"), film)
  app.get("/open/:id", film)

  const [terms, metered] = await readTerms(url, chain)
  if (!terms || !metered) throw new Error("nothing is on sale")
  return {
    chain,
    issuer,
    url,
    folder,
    terms,
    token: await buy(url, terms),
    meteredToken: await buy(url, metered),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await issuer.close()
      await chain.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Returns the terms of each offer. */
async function readTerms(url: string, chain: LocalChain): Promise<readonly SalesTerms[]> {
  const response = await fetch(`${url}/token`, { method: "POST" })
  const { accepts } = (await response.json()) as { accepts: readonly PaymentRequirements[] }
  const payers = chain.accounts.map(({ privateKey }) => privateKey)
  return accepts.map((accepted) => ({ accepted, resource: url, payers }))
}

async function buy(url: string, terms: SalesTerms): Promise<string> {
  const [payment] = await preparePayments(terms, 1)
  const response = await fetch(`${url}/token`, { method: "POST", headers: payment?.headers ?? {} })
  const { access_token } = (await response.json()) as { access_token?: string }
  if (access_token === undefined) throw new Error(`the first sale failed with ${response.status}`)
  return access_token
}
