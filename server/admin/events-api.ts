/** Serves the live stream of the ledger. */
import { ReadableStream } from "node:stream/web"
import { z } from "zod"
import { hasRole } from "../core/admin-roles.ts"
import { parsePlace } from "../core/ledger-filter.ts"
import { eventsOf, type StreamStart } from "../delivery/event-stream.ts"
import type { LedgerStore } from "../delivery/ledger-reader.ts"
import type { LedgerTail } from "../delivery/ledger-tail.ts"
import { noStore } from "../http/respond.ts"
import type { AdminIdentity, AdminTokens } from "../ports/admin-tokens.ts"
import type { Store } from "../ports/store.ts"
import { bearerOf } from "./guard.ts"
import { readQuery } from "./input.ts"
import { filterOf, filterShape } from "./ledger-query.ts"
import { AdminRefusal } from "./refusals.ts"
import type { AdminCall, AdminRoute } from "./routes.ts"

export type EventDeps = {
  readonly store: LedgerStore & Pick<Store, "resume">
  readonly tail: LedgerTail
  readonly tokens: Pick<AdminTokens, "find">
}

/** Streams that this process keeps open at once. */
const mostStreams = 100

/** A sequence of these books, or the id of an event. */
const after = z
  .string()
  .regex(/^(?:[0-9a-f]{32}-)?(?:0|[1-9][0-9]{0,14})$/, "wanted a sequence or the id of an event")
const query = z.strictObject({ ...filterShape, after: after.optional() })

export function eventRoutes(deps: EventDeps): readonly AdminRoute[] {
  let open = 0

  async function* counted(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder()
    open += 1
    try {
      for await (const text of texts) yield encoder.encode(text)
    } finally {
      open -= 1
    }
  }

  async function events({ request, identity }: AdminCall): Promise<Response> {
    const { after, ...filters } = readQuery(request, query)
    const filter = filterOf(filters)
    if (open >= mostStreams) throw new AdminRefusal("rate_limited", `found ${open} open streams`)
    // A browser that reconnects repeats its address, and adds how far it got.
    const start = await startAt(request.headers.get("last-event-id") ?? after, deps.store)
    const token = bearerOf(request) ?? ""
    const isAllowed = () => isStill(identity, deps.tokens.find(token))
    const texts = eventsOf(deps, { filter, start, signal: request.signal, isAllowed })
    return new Response(ReadableStream.from(counted(texts)) as BodyInit, {
      headers: { ...noStore, "content-type": "text/event-stream", "x-accel-buffering": "no" },
    })
  }

  return [{ method: "GET", path: "/api/events", role: "read", handle: events }]
}

/** Without a place, the stream begins with the next entry. */
async function startAt(text: string | undefined, store: EventDeps["store"]): Promise<StreamStart> {
  if (text === undefined) return { after: (await store.newest()).sequence, isAnew: false }
  if (/^[0-9]{1,15}$/.test(text)) return { after: Number(text), isAnew: false }
  const place = parsePlace(text)
  const after = place ? await store.resume(place) : null
  return after === null ? { after: 0, isAnew: true } : { after, isAnew: false }
}

const isStill = (before: AdminIdentity, now: AdminIdentity | undefined): boolean =>
  now !== undefined && now.name === before.name && hasRole(now.role, "read")
