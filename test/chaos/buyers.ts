/** Customers of a service that dies under them: what they sent, what they were told, and what they have to show. */
import { decodeJwt } from "jose"
import type { LocalChain } from "../support/chain/local-chain.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import {
  type Answer,
  type Purchase,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
} from "../support/service.ts"
import type { Flaw, Kind } from "./table.ts"

/** One payment and every answer to it. */
export type Sale = {
  readonly account: Account
  readonly purchase: Purchase
  /** The service answered with a token before it was killed. */
  isAcknowledged: boolean
  readonly statuses: number[]
  /** Grants named in answers and in tokens that were handed out; one, if all is well. */
  readonly grantsOfTokens: Set<string>
}

const purse = 30_000n

export async function prepareSale(
  chain: LocalChain,
  offer: Parameters<typeof preparePurchase>[0],
): Promise<Sale> {
  const account = randomAccount()
  await chain.mint(account.address, purse)
  const purchase = await preparePurchase(offer, account)
  return { account, purchase, isAcknowledged: false, statuses: [], grantsOfTokens: new Set() }
}

/** Buys, and refreshes at once; either answer may be lost. */
export async function buy(url: string, sale: Sale): Promise<void> {
  const bought = await orLost(postToken(url, sale.purchase.headers))
  note(sale, bought)
  if (bought?.status !== 200) return
  sale.isAcknowledged = true
  const refreshed = await orLost(refresh(url, bought.body.refresh_token))
  note(sale, refreshed)
}

/** What is wrong with a sale, as the last, surviving service tells it. */
export async function audit(url: string, sale: Sale): Promise<readonly Flaw[]> {
  const flaws: Flaw[] = []
  const flaw = (kind: Kind, line: string) => void flaws.push({ kind, line })
  const want = (what: string, answer: Answer, status: number) => {
    if (answer.status !== status)
      flaw("wrongVerdicts", `${what}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  if (sale.isAcknowledged) want("a replay without proof", await postToken(url, sale.purchase.headers), 409)
  const proven = await postToken(url, retryHeaders(sale.purchase))
  want("a proven retry", proven, 200)
  note(sale, proven)
  if (proven.status === 200) {
    const refreshed = await refresh(url, proven.body.refresh_token)
    note(sale, refreshed)
    want("a refresh of the grant", refreshed, 200)
  }
  // Of a token without a row there would be another grant's name in the answer.
  if (sale.grantsOfTokens.size > 1) flaw("doubleEffects", `grants ${[...sale.grantsOfTokens].join(", ")}`)
  if (sale.statuses.includes(402)) flaw("wrongVerdicts", "I7: a signed payment was answered with 402")
  return flaws
}

function note(sale: Sale, answer: Answer | undefined): void {
  if (!answer) return
  sale.statuses.push(answer.status)
  if (answer.status !== 200) return
  const claims = decodeJwt(answer.body.access_token)
  sale.grantsOfTokens.add(answer.body.grant.id).add(String(claims.grant))
}

const orLost = (answer: Promise<Answer>): Promise<Answer | undefined> => answer.catch(() => undefined)
