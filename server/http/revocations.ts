/** `GET /revocations?since=`: returns the signed list of revocations for gates elsewhere. */

import { revocationPage, revocationsType } from "../../shared/oauth/revocation-list.ts"
import { Refusal } from "../../shared/refusals.ts"
import type { Revocations } from "../feeds/revocation-feed.ts"
import type { Keys } from "../ports/keys.ts"
import type { Now, Rate } from "../ports/runtime.ts"
import { peerKey } from "./rate.ts"
import { noStore } from "./respond.ts"
import type { Handler } from "./router.ts"

/** The store is read every second; a list older than this would be passed off as a fresh one. */
const staleSeconds = 5

/**
 * Open to everybody: ids of grants and tokens are 128 random bits, name nobody, and open nothing. It is answered from
 * memory, and signed only when there is news.
 */
export function createRevocationsHandler(deps: {
  readonly issuer: string
  readonly revocations: Pick<Revocations, "age" | "after" | "generation">
  readonly keys: Pick<Keys, "signRevocations" | "removed">
  readonly peers: Rate
  readonly now: Now
}): Handler {
  const { issuer, revocations, keys, peers, now } = deps

  return async (request, { peer }) => {
    await peers.take(peerKey(peer))
    const { searchParams } = new URL(request.url)
    const asked = readCursor(searchParams.get("since"))
    const age = revocations.age()
    if (age > staleSeconds) throw new Refusal("store_unavailable")
    const generation = revocations.generation()
    // In restored books a cursor of before may be past revocations that its reader never saw.
    const since = (searchParams.get("generation") ?? generation) === generation ? asked : 0
    const page = revocations.after(since, revocationPage)
    const removed = keys.removed()
    const next = page.at(-1)?.sequence ?? since
    const headers = {
      ...noStore,
      "cache-control": "public, max-age=1",
      etag: `"${generation}-${since}-${next}-${page.length}-${removed.length}"`,
    }
    if (request.headers.get("if-none-match") === headers.etag)
      return new Response(null, { status: 304, headers })
    const list = await keys.signRevocations({
      iss: issuer,
      iat: now() - Math.max(0, age),
      generation,
      since,
      next,
      more: page.length === revocationPage,
      revocations: page.map(({ revocation }) => revocation),
      removedKeys: removed.map(({ kid }) => kid),
    })
    return new Response(list, { headers: { ...headers, "content-type": `application/${revocationsType}` } })
  }
}

function readCursor(text: string | null): number {
  if (text === null) return 0
  if (!/^[0-9]{1,15}$/.test(text))
    throw new Refusal("malformed", "Wanted since, the cursor of the last answer.")
  return Number(text)
}
