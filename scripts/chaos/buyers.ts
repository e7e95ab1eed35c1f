/** Customers of a service that dies under them: what they sent, what they were told, and what they have to show. */
import { decodeJwt } from "jose"
import {
  type Answer,
  type Purchase,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
} from "../../test/support/cinema.ts"
import { type Account, randomAccount } from "../../test/support/payments.ts"
import type { LocalChain } from "../local-chain.ts"

/** One payment and every answer to it. */
export type Sale = {
  readonly account: Account
  readonly purchase: Purchase
  /** Undefined while no answer arrived: the connection died with the process. */
  grantId: string | undefined
  readonly statuses: number[]
  /** Grants named in tokens that were handed out. */
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
  return { account, purchase, grantId: undefined, statuses: [], grantsOfTokens: new Set() }
}

/** Buys, and refreshes at once; either answer may be lost. */
export async function buy(url: string, sale: Sale): Promise<void> {
  const bought = await orLost(postToken(url, sale.purchase.headers))
  note(sale, bought)
  if (bought?.status !== 200) return
  const refreshed = await orLost(refresh(url, bought.body.refresh_token))
  note(sale, refreshed)
}

/** What the last, surviving service says of a sale; one line for each thing that is wrong. */
export async function audit(url: string, sale: Sale): Promise<readonly string[]> {
  const wrong: string[] = []
  const want = (what: string, answer: Answer, status: number) => {
    if (answer.status !== status) wrong.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const acknowledged = sale.grantId
  if (acknowledged !== undefined)
    want("a replay without proof", await postToken(url, sale.purchase.headers), 409)
  const proven = await postToken(url, retryHeaders(sale.purchase))
  want("a proven retry", proven, 200)
  note(sale, proven)
  if (acknowledged !== undefined && proven.body.grant?.id !== acknowledged)
    wrong.push(`acknowledged as ${acknowledged}, then given ${proven.body.grant?.id}`)
  if (proven.status === 200) {
    const refreshed = await refresh(url, proven.body.refresh_token)
    note(sale, refreshed)
    want("a refresh of the grant", refreshed, 200)
  }
  if (sale.statuses.includes(402)) wrong.push("I7: a signed payment was answered with 402")
  return wrong
}

function note(sale: Sale, answer: Answer | undefined): void {
  if (!answer) return
  sale.statuses.push(answer.status)
  if (answer.status !== 200) return
  sale.grantId ??= answer.body.grant.id
  const claims = decodeJwt(answer.body.access_token)
  sale.grantsOfTokens.add(String(claims.grant))
}

const orLost = (answer: Promise<Answer>): Promise<Answer | undefined> => answer.catch(() => undefined)
