/** A purchase and token checks in whatever host bundles this file; it uses no module of Node. */
import { privateKeyToAccount } from "viem/accounts"
import { createClient, createVerifier } from "../../client/index.ts"

export type HostOrder = { readonly issuer: string; readonly key: `0x${string}` }

/** Returns what happened, as JSON. */
export async function runScenario({ issuer, key }: HostOrder): Promise<object> {
  const client = createClient({
    account: privateKeyToAccount(key),
    budget: { perPurchase: "0.05", perDay: "1.00" },
    networks: ["sepolia"],
  })
  const url = `${issuer}/movies/7`
  const verifier = createVerifier({ issuer })
  try {
    const control = new AbortController()
    const calls = [
      await client.fetch(url, { signal: control.signal, credentials: "include", cache: "no-cache" }),
      await client.fetch(url),
      await client.fetch(`${issuer}/echo`, { method: "POST", body: "a body" }),
    ]
    const bodies = []
    for (const call of calls) bodies.push(await call.text())
    const { accessToken } = await client.derive(url, { seconds: 60 })
    const verdicts = [
      await verifier.check(`Bearer ${accessToken}`, "movies:read"),
      await verifier.check(undefined, "movies:read"),
    ]
    return {
      statuses: calls.map(({ status }) => status),
      bodies,
      verdicts: verdicts.map(({ kind }) => kind),
      price: "body" in verdicts[1]! ? verdicts[1].status : undefined,
      spent: (await client.spent()).total,
    }
  } finally {
    verifier.close()
  }
}
