/** One suite for every adapter: the client's promises hold for each HTTP library. */
import { once } from "node:events"
import { Readable } from "node:stream"
import { inspect } from "node:util"
import { gzipSync } from "node:zlib"
import axios, { isAxiosError } from "axios"
import { getGlobalDispatcher, request, setGlobalDispatcher } from "undici"
import { afterEach, describe, expect, test } from "vitest"
import { createAdapter } from "../../../client/adapters/axios.ts"
import { createDispatcher } from "../../../client/adapters/undici.ts"
import { type ClientOptions, createClient, installFetch, Ticket402Error } from "../../../client/index.ts"
import { origin, startedAt, terms } from "../../support/client-setup.ts"
import { type FakeOrigin, json, redirect } from "../../support/fake-origin.ts"

type Init = {
  method?: "GET" | "POST"
  body?: string | ReadableStream<Uint8Array>
  headers?: Record<string, string>
  signal?: AbortSignal
}
type Answer = { status: number; headers: Record<string, unknown>; body: ReadableStream<Uint8Array> }
type Call = (url: string, init?: Init) => Promise<Answer>
/** Makes calls through a client; `restore` uninstalls it. */
type Adapter = (options: ClientOptions) => { call: Call; restore?: () => void }

const callFetch: Call = async (url, init) => {
  const response = await fetch(url, { ...init, duplex: "half" } as RequestInit)
  const headers = { ...Object.fromEntries(response.headers), "set-cookie": response.headers.getSetCookie() }
  return { status: response.status, headers, body: bodyOf(response) }
}
const streamOf = (parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) =>
  Readable.toWeb(Readable.from(parts)) as ReadableStream<Uint8Array>
const bodyOf = (response: Response) => response.body ?? new Blob([]).stream()

const adapters: Record<string, Adapter> = {
  "the global fetch": (options) => {
    const restore = installFetch(createClient(options))
    return { call: callFetch, restore }
  },
  axios: (options) => {
    const instance = axios.create({
      adapter: createAdapter(createClient(options)),
      responseType: "stream",
      validateStatus: null,
    })
    return {
      call: async (url, { body, ...init } = {}) => {
        const { status, headers, data } = await instance({
          url,
          ...(body !== undefined && { data: body }),
          ...init,
        })
        return { status, headers, body: data ?? new Blob([]).stream() }
      },
    }
  },
  undici: (options) => {
    const { dispatcher } = createDispatcher(options)
    return {
      call: async (url, init) => {
        const { statusCode, headers, body } = await request(url, { ...init, dispatcher } as Parameters<
          typeof request
        >[1])
        return { status: statusCode, headers, body: streamOf(body) }
      },
      restore: () => void dispatcher.close(),
    }
  },
  "Node's fetch over undici's dispatcher": (options) => {
    const before = getGlobalDispatcher()
    const { dispatcher } = createDispatcher(options)
    setGlobalDispatcher(dispatcher)
    const restore = () => {
      setGlobalDispatcher(before)
      void dispatcher.close()
    }
    return { call: callFetch, restore }
  },
}

let restore: (() => void) | undefined
afterEach(() => restore?.())

async function open(adapter: Adapter, options: Partial<ClientOptions> = {}) {
  const clock = { now: startedAt }
  const [seller, other] = await Promise.all([origin(clock), origin(clock)])
  const buyerTerms = terms(clock, options)
  const opened = adapter(buyerTerms.options)
  restore = opened.restore
  return { ...buyerTerms, clock, seller, other, call: opened.call }
}

const textOf = async ({ body }: Answer) => new Response(body).text()
const refusal = async (call: Promise<unknown>): Promise<Ticket402Error> => {
  const error = await call.then(
    () => new Error("expected a refusal"),
    (reason: unknown) => reason,
  )
  // Node's fetch throws a TypeError with the refusal as its cause.
  const found = error instanceof TypeError ? error.cause : error
  if (found instanceof Ticket402Error) return found
  throw error
}
const secretsAt = ({ requests }: FakeOrigin) =>
  requests.flatMap(({ headers }) =>
    ["authorization", "payment-signature", "ticket402-secret"].filter((name) => headers[name]),
  )

describe.each(Object.entries(adapters))("%s", (name, adapter) => {
  test("CLI-13: twenty concurrent calls make one payment", async () => {
    const { call, seller } = await open(adapter)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => call(`${seller.url}/movies/${at}?of=${at}`)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(JSON.parse(await textOf(answers[7]!))).toMatchObject({ path: "/movies/7?of=7" })
    expect(seller.transfers).toHaveLength(1)
  })

  test("CLI-01: a price over the budget throws a typed refusal and sends nothing", async () => {
    const { call, seller } = await open(adapter, { budget: { perPurchase: "0.001", perDay: "1" } })
    expect(await refusal(call(`${seller.url}/movies/7`))).toMatchObject({ code: "amount_over_limit" })
    expect(seller.requestsTo("POST /token")).toEqual([])
  })

  test("CLI-17: a streamed POST is paid for and reaches the handler once", async () => {
    const { call, seller } = await open(adapter)
    const body = streamOf([Buffer.from("one "), Buffer.from("two")])
    const headers = { "content-type": "text/x-mine", "x-mine": "yes" }
    const { status } = await call(`${seller.url}/movies`, { method: "POST", body, headers })
    expect(status).toBe(200)
    expect(seller.handled).toMatchObject([{ method: "POST", body: "one two", headers }])
    expect((await call(`${seller.url}/movies`, { method: "POST", body: "three" })).status).toBe(200)
    expect(seller.handled[1]).toMatchObject({ body: "three", headers: { "content-length": "5" } })
  })

  test("CLI-04: a redirect to another origin is refused, and within the origin followed", async () => {
    const { call, seller, other } = await open(adapter)
    await call(`${seller.url}/movies/7`)
    for (const status of [302, 307]) {
      seller.always("POST /away", redirect(`${other.url}/movies/7`, status))
      const post = call(`${seller.url}/away`, { method: "POST", body: "mine" })
      expect(await refusal(post)).toMatchObject({ code: "redirect_origin", found: other.url })
    }
    expect(other.requests).toEqual([])
    seller.always("GET /old", redirect("/movies/8", 308))
    // undici's request leaves redirects to its caller.
    expect((await call(`${seller.url}/old`)).status).toBe(name === "undici" ? 308 : 200)
    expect(seller.transfers).toHaveLength(1)
  })

  test("CLI-12: a path that looks like a host stays a path; no token leaves the origin", async () => {
    const { call, seller, other } = await open(adapter)
    await call(`${seller.url}/movies/7`)
    await call(`${seller.url}//${other.url.slice(7)}/movies/7`)
    other.always("GET /free", (_request, response) => json(response, 200, {}))
    expect((await call(`${other.url}/free`)).status).toBe(200)
    expect(secretsAt(other)).toEqual([])
  })

  test("an answer streams: its first part arrives before its last is written", async () => {
    const { call, seller } = await open(adapter)
    let finish = () => {}
    seller.always("GET /live", (request, response) => {
      if (!request.headers.authorization) return seller.gate(request, response)
      response.writeHead(200, { "content-type": "text/plain" }).write("first ")
      finish = () => void response.end("last")
    })
    const { body } = await call(`${seller.url}/live`)
    const reader = body.getReader()
    const { value } = await reader.read()
    finish()
    const parts = [value!]
    for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value)
    expect(Buffer.from(value!).toString()).toBe("first ")
    expect(Buffer.concat(parts).toString()).toBe("first last")
  })

  test("a long answer arrives whole and a compressed one decoded", async () => {
    const { call, seller } = await open(adapter)
    const long = Buffer.alloc(3_000_000, "0123456789")
    seller.always(
      "GET /long",
      (_request, response) => void response.writeHead(200, { "set-cookie": ["a=1", "b=2"] }).end(long),
    )
    const { headers, ...answer } = await call(`${seller.url}/long`)
    expect(Buffer.from(await new Response(answer.body).arrayBuffer()).equals(long)).toBe(true)
    expect(String(headers["set-cookie"])).toBe("a=1,b=2")
    seller.always(
      "GET /packed",
      (_request, response) =>
        void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("hello")),
    )
    expect(await textOf(await call(`${seller.url}/packed`))).toBe("hello")
  })

  test("CLI-14: an aborted call ends at once, and its payment serves the next call", async () => {
    const { call, seller } = await open(adapter)
    const abort = new AbortController()
    let answer = () => {}
    const asked = new Promise<void>((resolve) => {
      seller.script("POST /token", (request, response) => {
        answer = () => void seller.router(request, response)
        resolve()
      })
    })
    const first = call(`${seller.url}/movies/7`, { signal: abort.signal })
    const ended = first.then(
      () => "answered",
      (error: Error) => `${error.name} ${isAxiosError(error) && error.code}`,
    )
    await asked
    abort.abort()
    expect(await ended).toMatch(/AbortError|CanceledError/)
    answer()
    expect((await call(`${seller.url}/movies/7`)).status).toBe(200)
    expect(seller.transfers).toHaveLength(1)
    expect(seller.handled).toHaveLength(1)
  })

  test("an abort while reading closes the connection to the server", async () => {
    const { call, seller } = await open(adapter)
    const abort = new AbortController()
    let gone: Promise<unknown> | undefined
    seller.always("GET /endless", (_request, response, socket) => {
      gone = once(socket, "close")
      response.writeHead(200).write("more ")
    })
    const { body } = await call(`${seller.url}/endless`, { signal: abort.signal })
    const reader = body.getReader()
    await reader.read()
    abort.abort()
    await expect(reader.read()).rejects.toThrow()
    await gone
  })

  test("a call with its own Authorization is passed on and never pays", async () => {
    const { call, seller } = await open(adapter)
    const headers = { authorization: "Basic abc" }
    expect((await call(`${seller.url}/movies/7`, { headers })).status).toBe(402)
    expect(seller.requests.map((r) => r.headers.authorization)).toEqual(["Basic abc"])
  })

  test("CLI-20: answers and errors show no key, token, secret or signature", async () => {
    const { call, seller, key } = await open(adapter)
    const answer = await call(`${seller.url}/movies/7`)
    seller.always("GET /away", redirect("https://elsewhere.example/"))
    const error = await call(`${seller.url}/away`).catch((reason: unknown) => reason)
    const hidden = [
      key.slice(2),
      ...seller.requests.flatMap(({ headers }) => [
        headers.authorization?.slice(7),
        headers["payment-signature"],
      ]),
    ].filter((text): text is string => typeof text === "string")
    expect(hidden.length).toBeGreaterThan(2)
    const shown = [answer.headers, error]
      .map((value) => inspect(value, { showHidden: true, depth: 12, maxStringLength: Infinity }))
      .join()
    for (const secret of hidden) expect(shown).not.toContain(secret)
  })
})

describe("axios", () => {
  test("keeps axios errors and timeouts for answers that are not ours", async () => {
    const { options, seller } = await open(adapters.axios!)
    const instance = axios.create({ adapter: createAdapter(createClient(options)), baseURL: seller.url })
    seller.always("GET /missing", (_request, response) => json(response, 404, { no: true }))
    seller.always("GET /slow", () => {})
    expect((await instance.get("/movies/7")).data).toMatchObject({ path: "/movies/7" })
    await expect(instance.get("/missing")).rejects.toMatchObject({
      isAxiosError: true,
      status: 404,
      response: { data: { no: true } },
    })
    await expect(instance.get("/slow", { timeout: 20 })).rejects.toMatchObject({
      isAxiosError: true,
      code: "ETIMEDOUT",
    })
    seller.always("GET /old", redirect("/movies/8"))
    await expect(instance.get("/old", { maxRedirects: 0 })).rejects.toMatchObject({ status: 302 })
  })
})

describe("undici", () => {
  test("leaves origins that are not listed to the underlying dispatcher", async () => {
    const clock = { now: startedAt }
    const [a, b] = await Promise.all([origin(clock), origin(clock)])
    const { dispatcher, client } = createDispatcher({ ...terms(clock).options, origins: [a.url] })
    const status = async (url: string) => (await request(url, { dispatcher })).statusCode
    expect([await status(`${a.url}/movies/7`), await status(`${b.url}/movies/7`)]).toEqual([200, 402])
    b.always("GET /away", redirect(`${a.url}/movies/7`))
    expect(await status(`${b.url}/away`)).toBe(302)
    expect(await client.grants()).toMatchObject([{ origin: a.url }])
    const query = { genre: ["noir", "western"], from: 1968 }
    await request(`${a.url}/movies`, { dispatcher, query })
    expect(a.handled.at(-1)?.path).toBe("/movies?genre=noir&genre=western&from=1968")
    await dispatcher.close()
  })

  test("closes the connection when the handler throws", async () => {
    const clock = { now: startedAt }
    const seller = await origin(clock)
    const { dispatcher } = createDispatcher(terms(clock).options)
    let gone: Promise<unknown> | undefined
    seller.always("GET /endless", (_request, response, socket) => {
      gone = once(socket, "close")
      response.writeHead(200).write("more ")
    })
    const trouble = new Error("thrown by the handler")
    const reported = new Promise((resolve) => {
      const handler = {
        onRequestStart() {},
        onResponseData() {
          throw trouble
        },
        onResponseError: (_controller: unknown, error: Error) => resolve(error),
      }
      dispatcher.dispatch({ origin: seller.url, path: "/endless", method: "GET" }, handler)
    })
    expect(await reported).toBe(trouble)
    await gone
    await dispatcher.close()
  })
})
