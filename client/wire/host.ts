/** Adapts requests to the host: leaves out the members of fetch's init that it refuses. */
import type { Fetch } from "../core/call.ts"
import { waitFor } from "../core/waiting.ts"

/**
 * Members that keep cookies, caches and referrers of a page away from a payment. A host without pages, such as workerd
 * or React Native, may refuse them; there they protect nothing. A replaced `AbortController`, as in jsdom, makes signals
 * that fetch refuses.
 */
const tried = {
  cache: () => "no-store",
  credentials: () => "omit",
  keepalive: () => false,
  referrerPolicy: () => "no-referrer",
  signal: () => new AbortController().signal,
} as const satisfies Partial<Record<keyof RequestInit, () => unknown>>

type Member = keyof typeof tried

let refused: ReadonlySet<Member> | undefined

/** Found once: a host refuses a member in `new Request` as it does in fetch, or when the member is read. */
function refusedMembers(): ReadonlySet<Member> {
  refused ??= new Set((Object.keys(tried) as Member[]).filter((member) => !isAccepted(member)))
  return refused
}

function isAccepted(member: Member): boolean {
  try {
    return member in new Request("https://host.example/", { [member]: tried[member]() } as RequestInit)
  } catch {
    return false
  }
}

/** The init without the members that this host refuses. */
export function acceptedInit(init: RequestInit): RequestInit {
  const accepted = { ...init }
  for (const member of refusedMembers()) delete accepted[member]
  return accepted
}

/** Members of a Request that travel along with every repetition, as far as the host has them. */
export function keptMembers(request: Request): RequestInit {
  const members = ["cache", "credentials", "keepalive", "referrerPolicy"] as const
  return Object.fromEntries(
    members.filter((member) => !refusedMembers().has(member)).map((member) => [member, request[member]]),
  )
}

/** The fetch with what the host accepts. A signal that it refuses still ends the waiting. */
export const adaptToHost =
  (fetch: Fetch): Fetch =>
  (input, init) => {
    if (!init || refusedMembers().size === 0) return fetch(input, init)
    const sending = fetch(input, acceptedInit(init))
    return refusedMembers().has("signal") ? waitFor(sending, init.signal ?? undefined) : sending
  }
