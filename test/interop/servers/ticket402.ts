/** ticket402 as a server of the matrix: paid at the business URL, at the token endpoint, or at neither. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import express from "express"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import { authorizationServer } from "../../../server/adapters/express.ts"
import { createIssuer } from "../../../server/app/issuer.ts"
import { mountExample } from "../../../server/commands/example.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import type { LocalChain } from "../../support/chain/local-chain.ts"
import type { Call } from "../client.ts"
import { countContent, listen } from "../listen.ts"
import type { RunningServer, Server } from "../server.ts"

const route = "/movies/1"

export const ticket402AtRoutes: Server = {
  name: "ticket402, payAtRoutes",
  open: (chain) => openService(chain, { payAtRoutes: true, visit: visitRoute }),
}

export const ticket402Gate: Server = {
  name: "ticket402, gate alone",
  open: (chain) => openService(chain, { payAtRoutes: false, visit: visitRoute }),
}

export const ticket402TokenEndpoint: Server = {
  name: "ticket402, POST /token",
  sellsTokens: true,
  open: (chain) => openService(chain, { payAtRoutes: false, visit: callTokenEndpoint }),
}

type Visit = (call: Call, origin: string, times: number) => Promise<number>

const visitRoute: Visit = (call, origin, times) => countContent(call, `${origin}${route}`, times)

/** Buys one token and shows it at every call by a `fetch` that pays nothing. */
const callTokenEndpoint: Visit = async (call, origin, times) => {
  const bought = await call(`${origin}/token`, { method: "POST" })
  const { access_token } = (await bought.json()) as { access_token?: string }
  const headers = { authorization: `Bearer ${access_token}` }
  return visitRoute((url) => fetch(url, { headers }), origin, times)
}

async function openService(
  chain: LocalChain,
  { payAtRoutes, visit }: { payAtRoutes: boolean; visit: Visit },
): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), "ticket402-interop-"))
  const app = express()
  const { origin, close } = await listen(app)
  let taken = 0
  const issuer = await createIssuer(
    {
      issuer: origin,
      payTo: privateKeyToAddress(generatePrivateKey()),
      database: `sqlite:${join(folder, "ticket402.db")}`,
      keys: join(folder, "keys"),
      relayer: { privateKeyFile: join(folder, "relayer.key") },
      networks: { [baseSepolia.id]: { rpcUrls: [chain.rpcUrl] } },
      offers: [
        {
          id: "hour",
          scope: "movies:read",
          durationSeconds: 3600,
          prices: [{ network: baseSepolia.id, asset: "USDC", amount: "0.01" }],
        },
      ],
      // Every payer is new to the service, and calls three times in a second.
      limits: { newPayer: 10 },
      payAtRoutes,
      x402v1: true,
      logLevel: "error",
    },
    {
      onStep(step) {
        if (step === "payment-redeemed") taken += 1
      },
    },
  )
  await chain.fund(issuer.relayer)
  app.use(authorizationServer(issuer))
  mountExample(app, issuer)
  return {
    origin,
    visit: (call, times) => visit(call, origin, times),
    taken: () => taken,
    async close() {
      await close()
      await issuer.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
