/** The valid inputs that mutations start from: signed payments, refresh tokens and access tokens. */
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

export type SeedInputs = {
  /**
   * Payments that are new (with and without a quote), redeemed, without balance, and without a valid
   * signature.
   */
  readonly purchases: readonly Purchase[]
  readonly refreshTokens: readonly string[]
  readonly tokens: readonly string[]
  /** Bodies of 402 answers of the gate. */
  readonly challenges: readonly unknown[]
}

export async function createSeedInputs(service: TestService, size = 6): Promise<SeedInputs> {
  // Valid for almost an hour: in a long run payments would otherwise expire before they are used.
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + 3500)
  const prepare = (account: ReturnType<typeof randomAccount>, accepted = service.accepted) =>
    preparePurchase({ ...service, accepted }, account, { terms: { validBefore } })
  const { accepts } = (await postToken(service.url, {})).body as { accepts: PaymentRequirements[] }
  const quoted = accepts.find(({ extra }) => extra?.quote !== undefined)
  if (!quoted) throw new Error("no offer has a quoted price")
  const purchases: Purchase[] = []
  const refreshTokens: string[] = []
  const tokens: string[] = []
  for (let at = 0; at < size; at++) {
    const customer = await service.customer()
    const redeemed = await prepare(customer)
    tokens.push((await postToken(service.url, redeemed.headers)).body.access_token)
    // This purchase has a grant of its own: a refresh token used twice ends its grant and all tokens of it.
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
