/** Rules about grants in the wallet: which one a request uses first, and when no other may be bought. */

type Access = {
  readonly resource: string
  readonly scope: string
  readonly expiresAt: number
  readonly tokenExpiresAt: number
  readonly callsRemaining: number | null
}

/**
 * Whether a grant is used before another: a time pass before counted calls, so that none are spent beside it; then the
 * narrowest scope; then the earliest end. Used-up grants come last. Equal ones keep their order.
 */
export function compareGrants(a: Access, b: Access): number {
  const [ranksA, ranksB] = [ranksOf(a), ranksOf(b)]
  for (const [at, rank] of ranksA.entries()) {
    const difference = rank - (ranksB[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const ranksOf = (grant: Access): readonly number[] => [
  grant.callsRemaining === null ? 0 : grant.callsRemaining > 0 ? 1 : 2,
  grant.scope.split(" ").length,
  endOf(grant),
]

const endOf = ({ expiresAt, tokenExpiresAt }: Access): number => Math.max(expiresAt, tokenExpiresAt)

/** Whether a grant of `scope` covers one of the scopes on offer. */
export function covers(scope: string, offered: readonly string[]): boolean {
  const held = new Set(scope.split(" "))
  return offered.some((each) => each.split(" ").every((word) => held.has(word)))
}

type Bought = Access & {
  /** CAIP-2; empty where nothing was bought. */
  readonly network: string
  readonly openedAt?: number | undefined
  readonly refusedAt?: number | undefined
}

/**
 * The grant because of which nothing is bought: paid for, not ended, and of no use at the gate. That is any grant of the
 * origin whose token never opened a route, and a time pass of the resource that covers an offer. Without this rule a gate
 * that refuses every token would sell one for each call.
 */
export function findUseless<G extends Bought>(
  grants: readonly G[],
  {
    resource,
    offered,
    now,
  }: { readonly resource: URL; readonly offered: readonly string[]; readonly now: number },
): G | undefined {
  return grants.find((grant) => {
    if (grant.network === "" || endOf(grant) <= now) return false
    const isRefused = grant.refusedAt !== undefined && grant.openedAt === undefined
    if (isRefused && new URL(grant.resource).origin === resource.origin) return true
    return grant.resource === resource.href && grant.callsRemaining === null && covers(grant.scope, offered)
  })
}
