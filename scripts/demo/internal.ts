/** Plays the demo's internal callers: one with a secret, one with a key, both on the whitelist and not charged. */
import type { PrivateKeyAccount } from "viem/accounts"
import { createClient } from "../../client/index.ts"
import type { Screen } from "../../test/support/screen.ts"

export type Staff = {
  /** The whitelist has its id and the hash of its secret. */
  readonly service: { readonly clientId: string; readonly secret: string }
  /** The whitelist has its address; the account owns nothing. */
  readonly account: PrivateKeyAccount
}

type Stage = { readonly url: string; readonly network: string; readonly staff: Staff }

/** Throws when a result differs from the promise. */
export async function playInternal(screen: Screen, { url, network, staff }: Stage): Promise<void> {
  const { clientId, secret } = staff.service
  await screen.step("An internal service gets a token with its client credentials", async () => {
    const response = await fetch(`${url}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials" }),
    })
    const { access_token, scope } = (await response.json()) as { access_token: string; scope: string }
    const seen = await fetch(`${url}/movies/4`, { headers: { authorization: `Bearer ${access_token}` } })
    if (seen.status !== 200) throw new Error(`the demo wanted 200, found ${seen.status}`)
    screen.good(`${clientId} has a token for ${scope} and got "${await titleOf(seen)}"`)
  })

  await screen.step("A whitelisted address uses the same client and pays nothing", async () => {
    const client = createClient({
      account: staff.account,
      budget: { perPurchase: "0.05", perDay: "1.00" },
      networks: [network],
    })
    const seen = await client.fetch(`${url}/movies/5`)
    const [grant] = await client.grants()
    if (seen.status !== 200 || grant?.settlement !== "none")
      throw new Error(`the demo wanted a free grant, found ${seen.status} and ${grant?.settlement}`)
    screen.good(`one signature, nothing to settle; it got "${await titleOf(seen)}"`)
  })
}

const titleOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { title: string }).title
