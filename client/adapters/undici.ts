/** `ticket402/client/undici`: a dispatcher whose requests pay, for undici's own calls and for the fetch of Node. */
import { Agent, type Dispatcher, Request, fetch as undiciFetch } from "undici"
import { type Client, createClient } from "../app/client.ts"
import type { ClientOptions } from "../app/options.ts"
import type { Fetch } from "../core/call.ts"
import { originsOf } from "../core/origins.ts"
import { discard } from "../wire/bodies.ts"
import { isRedirect, targetOf } from "../wire/request.ts"

export type DispatcherOptions = Omit<ClientOptions, "fetch"> & {
  /** The dispatcher that sends the requests; a new `Agent` by default. */
  readonly dispatcher?: Dispatcher
  /** The origins whose requests go through the client, such as `"https://api.example.com"`; all by default. */
  readonly origins?: readonly string[]
}

/** Headers of one connection, which fetch sets again for its own. */
const unsent = [
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "transfer-encoding",
]

/**
 * Returns a dispatcher that pays, and the client that it uses. The client is created here, because its requests must
 * bypass this dispatcher, even when it is the global one.
 *
 * The client's promises hold for every request: bodies are kept in memory, a refusal is a `Ticket402Error` (behind a fetch,
 * the `cause` of its TypeError), and a redirect to another origin is an error. Redirects within the origin are answers,
 * for the caller to follow. Timeouts are those of the dispatcher beneath; upgrades and CONNECT are left to it.
 */
export function createDispatcher(options: DispatcherOptions): {
  readonly client: Client
  readonly dispatcher: Dispatcher
} {
  const { dispatcher: beneath = new Agent(), origins: named, ...rest } = options
  const origins = originsOf(named)
  // Undici's own, because the one of Node may be of another version than the dispatcher.
  const send = (input: unknown, init: object): unknown =>
    undiciFetch(input as URL, { ...init, dispatcher: beneath })
  const client = createClient({ ...rest, fetch: send as Fetch })

  const dispatcher = beneath.compose((dispatch) => (request, handler) => {
    const url = urlOf(request)
    const isOurs = url !== undefined && (!origins || origins.has(url.origin))
    if (!isOurs || request.upgrade || request.method === "CONNECT") return dispatch(request, handler)
    void carry(client, url, request, handler)
    return true
  })
  return { client, dispatcher }
}

async function carry(
  client: Client,
  url: URL,
  request: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
): Promise<void> {
  const { controller, signal, whileRunning } = createController()
  let response: Response | undefined
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    handler.onRequestStart?.(controller, {})
    response = await client.fetch(url, { ...initOf(url, request), redirect: "manual", signal })
    if (isRedirect(response)) targetOf(response, url)
    handler.onResponseStart?.(controller, response.status, headersOf(response), response.statusText)
    reader = response.body?.getReader()
    for (;;) {
      await whileRunning()
      signal.throwIfAborted()
      const { done = true, value } = (await reader?.read()) ?? {}
      if (done) break
      handler.onResponseData?.(controller, Buffer.from(value as Uint8Array))
    }
    handler.onResponseEnd?.(controller, {})
  } catch (error) {
    // A body that is being read must be cancelled by its reader.
    reader?.cancel().catch(() => {})
    if (response) discard(response)
    handler.onResponseError?.(controller, error as Error)
  }
}

/** Controls the request for its handler; `whileRunning` resolves as soon as the handler does not pause. */
function createController() {
  const abort = new AbortController()
  let pause: { readonly over: Promise<void>; end(): void } | undefined
  const resume = (): void => {
    pause?.end()
    pause = undefined
  }
  const controller: Dispatcher.DispatchController = {
    get aborted() {
      return abort.signal.aborted
    },
    get paused() {
      return pause !== undefined
    },
    get reason() {
      return abort.signal.reason ?? null
    },
    abort(reason) {
      abort.abort(reason)
      resume()
    },
    pause() {
      if (pause) return
      let end = (): void => {}
      const over = new Promise<void>((resolve) => {
        end = resolve
      })
      pause = { over, end }
    },
    resume,
  }
  return { controller, signal: abort.signal, whileRunning: async () => pause?.over }
}

/** Concatenated and not resolved: `//evil.example` is a path here. Undefined for the absolute form that proxies take. */
function urlOf({ origin, path, query }: Dispatcher.DispatchOptions): URL | undefined {
  if (origin === undefined || !path.startsWith("/")) return undefined
  const url = new URL(`${new URL(origin).origin}${path}`)
  for (const [name, value] of Object.entries(query ?? {}))
    for (const each of [value].flat()) url.searchParams.append(name, String(each ?? ""))
  return url
}

/** Undici's Request reads every form of body that its dispatchers take. */
function initOf(url: URL, { method, headers, body }: Dispatcher.DispatchOptions): RequestInit {
  const bytes = typeof body === "string" ? Buffer.from(body) : (body ?? null)
  const init = { method, headers: pairsOf(headers), body: bytes, duplex: "half" }
  const request = new Request(url, init as ConstructorParameters<typeof Request>[1])
  for (const name of unsent) request.headers.delete(name)
  return { method, headers: [...request.headers], body: request.body as ReadableStream | null }
}

/** Headers come as an object, as pairs, or as one list of names and values in turn. */
function pairsOf(headers: Dispatcher.DispatchOptions["headers"]): [string, string][] {
  if (!headers) return []
  const list = Symbol.iterator in headers ? [...headers] : Object.entries(headers)
  const pairs =
    typeof list[0] === "string"
      ? list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]]] : []))
      : list
  return (pairs as [string, string | string[] | undefined][]).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [name, each]),
  )
}

function headersOf({ headers }: Response): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.fromEntries(headers)
  const cookies = headers.getSetCookie()
  if (cookies.length > 0) out["set-cookie"] = cookies
  // Fetch has unpacked the body, and leaves the headers as they came.
  if (headers.has("content-encoding")) {
    delete out["content-encoding"]
    delete out["content-length"]
  }
  return out
}
