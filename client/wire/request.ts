/** Sends a request that can be repeated: its body is in memory, its redirects are followed by hand. */
import { dpopHeader } from "../../shared/oauth/dpop.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import { Ticket402Error } from "../core/errors.ts"
import { parseUrl } from "../core/origins.ts"
import { waitFor } from "../core/waiting.ts"
import { discard, readBounded } from "./bodies.ts"
import { type Prover, wantsNonce } from "./dpop.ts"
import { acceptedInit, keptMembers } from "./host.ts"

const maxRedirects = 3
const maxBodyBytes = 10 * 1024 * 1024

export type RepeatableRequest = {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | undefined
  /** The caller's choice for redirects; the fetch below always gets "manual". */
  readonly redirect: RequestRedirect
  readonly signal: AbortSignal | undefined
  /** The rest of the caller's init, handed through. */
  readonly rest: RequestInit
}

/**
 * Reads the arguments of a fetch, and its body once, whatever its type. A body of more than 10 MiB is refused before
 * anything is sent: it could not be sent twice (CLI-17). Throws the TypeErrors of `Request` for invalid arguments.
 */
export async function repeatable(
  input: string | URL | Request,
  init?: RequestInit,
): Promise<RepeatableRequest> {
  // A stream as body wants `duplex`, which the type does not know yet.
  const request = new Request(input, acceptedInit({ ...init, duplex: "half" } as RequestInit))
  const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
  signal?.throwIfAborted()
  const hasBody = request.method !== "GET" && request.method !== "HEAD" && request.body !== null
  const body = hasBody ? await waitFor(bytesOf(request), signal) : undefined
  if (hasBody && body === undefined)
    throw new Ticket402Error("body_too_large", "The body is too large to be kept for a repetition.", {
      action: "stop",
      wanted: `at most ${maxBodyBytes} bytes`,
    })
  return {
    url: new URL(request.url),
    method: request.method,
    headers: new Headers(request.headers),
    body,
    redirect: request.redirect,
    signal,
    rest: { ...init, ...keptMembers(request) },
  }
}

/** Undefined when it is too large. */
async function bytesOf(request: Request): Promise<Uint8Array<ArrayBuffer> | undefined> {
  // Firefox has no streams of requests: their bodies are in memory already.
  if (request.body !== undefined) return readBounded(request.body, maxBodyBytes)
  const bytes = new Uint8Array(await request.arrayBuffer())
  return bytes.byteLength > maxBodyBytes ? undefined : bytes
}

/** Whether a request may be repeated when its outcome is unknown (RFC 9110 §9.2.2). */
export const isIdempotent = ({ method }: RepeatableRequest): boolean => idempotentMethods.has(method)

const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])

/** Whether the caller has a login of its own at the API. */
export const hasLogin = ({ headers }: Pick<RepeatableRequest, "headers">): boolean =>
  headers.has("authorization")

/** The token that a request shows to the gate. */
export type Credential = {
  readonly accessToken: string
  readonly prover: Prover | undefined
  /** The header that shows it; `Authorization` when not given. */
  readonly tokenHeader?: TokenHeader | undefined
}

/** Makes the request, with a token or without; a second time where the first proof lacked the service's nonce. */
export async function send(
  fetch: typeof globalThis.fetch,
  request: RepeatableRequest,
  credential: Credential | undefined,
): Promise<Response> {
  const response = await sendOnce(fetch, request, credential)
  credential?.prover?.learn(request.url, response)
  if (!credential?.prover || !wantsNonce(response)) return response
  discard(response)
  return sendOnce(fetch, request, credential)
}

async function sendOnce(
  fetch: typeof globalThis.fetch,
  request: RepeatableRequest,
  credential: Credential | undefined,
): Promise<Response> {
  const headers = new Headers(request.headers)
  if (credential) {
    const { tokenHeader = "authorization", prover, accessToken } = credential
    headers.set(tokenHeader, `${prover ? "DPoP" : "Bearer"} ${accessToken}`)
  }
  if (credential?.prover)
    headers.set(dpopHeader, await credential.prover.prove(request, credential.accessToken))
  return fetch(request.url, {
    ...request.rest,
    method: request.method,
    headers,
    body: request.body ?? null,
    redirect: "manual",
    signal: request.signal ?? null,
  })
}

export type FollowRedirect = typeof redirectOf

/** Follows the redirects of one call, at most three; see {@link redirectOf}. */
export function createRedirects(): FollowRedirect {
  let redirects = 0
  return (request, response) => {
    const target = redirectOf(request, response)
    if (target && ++redirects > maxRedirects)
      throw new Ticket402Error("redirect_limit", `More than ${maxRedirects} redirects were not followed.`)
    return target
  }
}

export const isRedirect = (response: Response): boolean =>
  response.type === "opaqueredirect" ||
  ([301, 302, 303, 307, 308].includes(response.status) && response.headers.has("location"))

/**
 * The request a redirect asks for; undefined when the answer is none, or when the caller wants to see it. Only the same
 * origin is followed: fetch itself would carry payment headers and bodies to any other (CLI-04).
 */
function redirectOf(request: RepeatableRequest, response: Response): RepeatableRequest | undefined {
  if (!isRedirect(response) || request.redirect === "manual") return undefined
  if (request.redirect === "error")
    throw new Ticket402Error("redirect_refused", "The answer is a redirect, which the call forbids.")
  const url = targetOf(response, request.url)
  const { status } = response
  const post = request.method === "POST"
  const becomesGet =
    (status === 303 && request.method !== "GET" && request.method !== "HEAD") ||
    ((status === 301 || status === 302) && post)
  if (!becomesGet) return { ...request, url }
  const headers = new Headers(request.headers)
  for (const name of ["encoding", "language", "length", "location", "type"]) headers.delete(`content-${name}`)
  return { ...request, url, method: "GET", headers, body: undefined }
}

/** Where a redirect leads. Throws a {@link Ticket402Error} `redirect_origin` unless it stays within the origin. */
export function targetOf(response: Response, asked: URL): URL {
  const location = response.headers.get("location")
  const url = location === null ? undefined : parseUrl(location, asked)
  if (url?.origin === asked.origin && url.username === "" && url.password === "") return url
  throw new Ticket402Error("redirect_origin", "A redirect to another origin is not followed.", {
    action: "stop",
    found: url?.origin ?? (response.type === "opaqueredirect" ? "a redirect this runtime hides" : "no URL"),
    wanted: asked.origin,
  })
}
