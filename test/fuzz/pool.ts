/** What mutations start from: signed payments of every fate, refresh tokens, and tokens that open the door. */
import type { PaymentRequirements } from "../../shared/x402/messages.ts"
import { randomAccount } from "../support/payments.ts"
import {
  type Purchase,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
} from "../support/service.ts"

export type Pool = {
  /** Payments that buy, one half with a quote, that were redeemed, that nobody can pay, and that nobody signed. */
  readonly purchases: readonly Purchase[]
  readonly refreshTokens: readonly string[]
  readonly tokens: readonly string[]
  /** What a 402 of the gate says. */
  readonly challenges: readonly unknown[]
}

export async function fillPool(service: TestService, size = 6): Promise<Pool> {
  // An hour of validity: a long run must not turn every payment into an expired one.
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + 3500)
  const prepare = (account: ReturnType<typeof randomAccount>, accepted = service.accepted) =>
    preparePurchase({ ...service, accepted }, account, { terms: { validBefore } })
  const { accepts } = (await postToken(service.url, {})).body as { accepts: PaymentRequirements[] }
  const quoted = accepts.find(({ extra }) => extra?.quote !== undefined)
  if (!quoted) throw new Error("nothing is sold at a quoted price")
  const purchases: Purchase[] = []
  const refreshTokens: string[] = []
  const tokens: string[] = []
  for (let at = 0; at < size; at++) {
    const customer = await service.customer()
    const redeemed = await prepare(customer)
    tokens.push((await postToken(service.url, redeemed.headers)).body.access_token)
    // Of a grant of its own: a refresh token used twice ends the grant and its tokens with it.
    const { body } = await postToken(service.url, (await prepare(customer)).headers)
    const rotated = await refresh(service.url, body.refresh_token)
    refreshTokens.push(body.refresh_token, rotated.body.refresh_token)
    const unsigned = await prepare(customer)
    const forged = { ...unsigned.payload, payload: { ...(unsigned.payload.payload as object) } }
    Object.assign(forged.payload, { signature: `0x${"11".repeat(64)}1b` })
    purchases.push(
      await prepare(customer),
      await prepare(customer, quoted),
      redeemed,
      await prepare(randomAccount()),
      { ...unsigned, payload: forged },
    )
  }
  return { purchases, refreshTokens, tokens, challenges: [(await watch(service.url)).body] }
}
