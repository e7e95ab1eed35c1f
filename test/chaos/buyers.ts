/**
 * Buyers of a service that is killed while it serves them: their payments, the answers, and the final check.
 */
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
  /** True when the service answered with a token before it was killed. */
  isAcknowledged: boolean
  readonly statuses: number[]
  /** Grants named in answers and in tokens that were issued; exactly one if nothing went wrong. */
  readonly grantsOfTokens: Set<string>
}

const balance = 30_000n

export async function prepareSale(
  chain: LocalChain,
  offer: Parameters<typeof preparePurchase>[0],
): Promise<Sale> {
  const account = randomAccount()
  await chain.mint(account.address, balance)
  const purchase = await preparePurchase(offer, account)
  return { account, purchase, isAcknowledged: false, statuses: [], grantsOfTokens: new Set() }
}

/** Buys and refreshes at once; the kill may lose either answer. */
export async function buy(url: string, sale: Sale): Promise<void> {
  const bought = await orLost(postToken(url, sale.purchase.headers))
  note(sale, bought)
  if (bought?.status !== 200) return
  sale.isAcknowledged = true
  const refreshed = await orLost(refresh(url, bought.body.refresh_token))
  note(sale, refreshed)
}

/** The flaws of a sale, found by requests to the last service, which is not killed. */
export async function audit(url: string, sale: Sale): Promise<readonly Flaw[]> {
  const flaws: Flaw[] = []
  const flaw = (kind: Kind, line: string) => void flaws.push({ kind, line })
  const checkStatus = (what: string, answer: Answer, status: number) => {
    if (answer.status !== status)
      flaw("wrongVerdicts", `${what}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  if (sale.isAcknowledged)
    checkStatus("a replay without proof", await postToken(url, sale.purchase.headers), 409)
  const proven = await postToken(url, retryHeaders(sale.purchase))
  checkStatus("a proven retry", proven, 200)
  note(sale, proven)
  if (proven.status === 200) {
    const refreshed = await refresh(url, proven.body.refresh_token)
    note(sale, refreshed)
    checkStatus("a refresh of the grant", refreshed, 200)
  }
  // If a token had been issued without a row, the answer would name another grant.
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
