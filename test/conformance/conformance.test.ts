import { createHash } from "node:crypto"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Command, runCommand } from "../support/command.ts"
import { hasNginx } from "../support/nginx.ts"
import { sepoliaId } from "../support/offers.ts"
import { offer, openService, type TestService } from "../support/service.ts"
import type { Access } from "./access.ts"
import { readServiceKey } from "./forgery.ts"
import { rules } from "./rules/index.ts"
import { checkRules, type Finding } from "./run.ts"
import { createSubject } from "./subject.ts"

/** A request on its way through the proxy in front of the service, and its answer. */
type Exchange = {
  readonly request: { method: string; url: string; headers: string[]; body: string }
  status: number
  readonly headers: Map<string, string>
  body: string
}
type Fault = {
  /** The rules of this fault need a purchase. */
  readonly paid?: true
  /** Changes the request. */
  readonly onRequest?: (request: Exchange["request"]) => void
  /** Changes the answer. */
  readonly onAnswer?: (exchange: Exchange) => void
}

const secret = "n0t-guessable-0123456789"
const secretSha256 = createHash("sha256").update(secret).digest("hex")
let service: TestService
let proxy: Server
let url: string
let fault: Fault = {}
let access: Access

/** The whole conformance run, which runs beside the other tests of this file. */
let wholeRun: Command["ended"]

beforeAll(async () => {
  wholeRun = runCommand("test/conformance/command.ts", []).ended
  proxy = createServer((request, response) => {
    void pass(request).then(({ status, headers, body }) => {
      response.writeHead(status, [...headers].flat()).end(request.method === "HEAD" ? "" : body)
    })
  }).listen(0, "127.0.0.1")
  await once(proxy, "listening")
  url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  service = await openService({
    config: {
      issuer: url,
      offers: [offer("hour", "movies:read", "0.01"), offer("studio", "movies:write", "0.05")],
      whitelist: [{ clientId: "reporting", secretSha256, scope: "movies:read" }],
      introspection: [{ clientId: "api", secretSha256 }],
    },
  })
  access = {
    url,
    route: "/movies/7",
    payer: { account: await service.customer(), network: sepoliaId, most: "0.05" },
    client: { id: "reporting", secret },
    introspection: { id: "api", secret },
    key: await readServiceKey(String(service.config.keys)),
  }
})
afterAll(async () => {
  proxy.closeAllConnections()
  proxy.close()
  await service.close()
})

async function pass(incoming: IncomingMessage): Promise<Exchange> {
  const request = {
    method: incoming.method ?? "",
    url: incoming.url ?? "",
    headers: incoming.rawHeaders,
    body: await textOf(incoming),
  }
  fault.onRequest?.(request)
  const { hostname, port } = new URL(service.url)
  const { method, url: path, headers } = request
  const outgoing = httpRequest({ hostname, port, method, path, headers, agent: false })
  outgoing.end(request.body)
  const [response] = (await once(outgoing, "response")) as [IncomingMessage]
  const fields = Object.entries(response.headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ])
  const exchange: Exchange = {
    request,
    status: response.statusCode ?? 0,
    headers: new Map(
      fields.filter(([name]) => !/^(content-length|transfer-encoding|connection)$/.test(name)),
    ),
    body: await textOf(response),
  }
  fault.onAnswer?.(exchange)
  return exchange
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString("latin1")
}

const failed = (findings: readonly Finding[]) =>
  findings.filter(({ outcome }) => outcome === "failed").map(({ id }) => id)
const isGate = ({ request }: Exchange) => request.url.startsWith("/movies/")
/** Tokens of a client suffice for most rules, and cost nothing. */
const accessFor = ({ paid }: Fault): Access => (paid ? access : { ...access, payer: undefined })

/** Each row: the fault, the rules that are checked, and those of them that must fail. */
const faults: readonly (readonly [string, Fault, readonly string[], readonly string[]])[] = [
  [
    "answers may be stored",
    { onAnswer: ({ headers }) => void headers.delete("cache-control") },
    ["N-6749-1", "N-6749-3", "N-6749-4", "N-6750-4", "N-9111-1"],
    ["N-6749-3", "N-6749-4", "N-9111-1"],
  ],
  [
    "the gate answers 200 instead of 402",
    {
      onAnswer: (exchange) => {
        if (isGate(exchange) && exchange.status === 402) exchange.status = 200
      },
    },
    ["N-6750-4", "N-9111-1", "N-9728-1", "N-9728-2"],
    ["N-6750-4", "N-9728-2", "N-9111-1"],
  ],
  [
    "the metadata name another issuer",
    {
      onAnswer: (exchange) => {
        exchange.body = exchange.body.replace(/"issuer":"[^"]+"/, '"issuer":"https://elsewhere.example"')
      },
    },
    ["N-6749-5", "N-8414-1", "N-8414-2", "N-9728-1"],
    ["N-8414-1", "N-8414-2"],
  ],
  [
    "the challenge has no usable resource_metadata",
    { onAnswer: ({ headers }) => void headers.set("www-authenticate", 'Bearer realm="a", realm="b"') },
    ["N-6750-2", "N-6750-4", "N-9728-2", "N-9110-1"],
    ["N-6750-4", "N-9728-2"],
  ],
  [
    "a token in the query opens the gate",
    {
      onRequest: ({ url, headers }) => {
        const token = /[?&]access_token=([^&]+)/.exec(url)?.[1]
        if (token !== undefined) headers.push("Authorization", `Bearer ${token}`)
      },
    },
    ["N-6750-1", "N-6750-2", "N-6750-3"],
    ["N-6750-3"],
  ],
  [
    "the first of two Authorization fields counts",
    {
      onRequest: ({ headers }) => {
        const at = headers.findIndex((name, index) => index % 2 === 0 && /^authorization$/i.test(name))
        const more = headers.findIndex(
          (name, index) => index > at && index % 2 === 0 && /^authorization$/i.test(name),
        )
        if (at >= 0 && more >= 0) headers.splice(more, 2)
      },
    },
    ["N-6750-1", "N-6750-2"],
    ["N-6750-1"],
  ],
  [
    "HEAD passes the gate",
    {
      onAnswer: (exchange) => {
        if (exchange.request.method === "HEAD") exchange.status = 200
      },
    },
    ["N-9110-1", "N-9111-1"],
    ["N-9110-1"],
  ],
  [
    "the token endpoint redirects",
    {
      onAnswer: (exchange) => {
        if (exchange.request.url === "/token/") exchange.status = 307
      },
    },
    ["N-6749-1", "N-9700-4"],
    ["N-9700-4"],
  ],
  [
    "an answer repeats a host of the request",
    {
      onAnswer: (exchange) => {
        const at = exchange.request.headers.indexOf("x-forwarded-host")
        if (at >= 0) exchange.headers.set("link", exchange.request.headers[at + 1] ?? "")
      },
    },
    ["N-9700-3", "N-9700-5"],
    ["N-9700-5"],
  ],
  [
    "an error page shows the request",
    {
      onAnswer: (exchange) => {
        if (exchange.status >= 400) exchange.body += JSON.stringify(exchange.request.headers)
      },
    },
    ["N-9700-3", "N-9700-4"],
    ["N-9700-3"],
  ],
  [
    "proofs are removed from requests",
    {
      onRequest: ({ headers }) => {
        const at = headers.indexOf("dpop")
        if (at >= 0) headers.splice(at, 2)
      },
    },
    ["N-8725-1", "N-9449-1", "N-9449-2"],
    ["N-9449-1", "N-9449-2"],
  ],
  [
    "a revocation of nothing is an error, and introspection gives a reason",
    {
      paid: true,
      onAnswer: (exchange) => {
        if (exchange.request.body === "token=nothing" && exchange.request.url === "/revoke")
          exchange.status = 400
        exchange.body = exchange.body.replace('"active":false', '"active":false,"reason":"unknown"')
      },
    },
    ["N-7662-1", "N-7662-2", "N-7009-1"],
    ["N-7662-2", "N-7009-1"],
  ],
]

describe("the conformance run", () => {
  it.each(faults)("names the broken rules when %s", async (_what, injected, checked, broken) => {
    fault = injected
    try {
      const some = rules.filter(({ id }) => checked.includes(id))
      const findings = await checkRules(some, createSubject(accessFor(injected)))
      expect(findings.filter(({ outcome }) => outcome === "not run")).toEqual([])
      expect(failed(findings)).toEqual(broken)
    } finally {
      fault = {}
    }
  })

  it("reports rules that it could not check as not run, and exits 1 for a broken one", async () => {
    const file = join(service.folder, "client")
    await writeFile(file, `reporting:${secret}\n`)
    fault = { onAnswer: ({ headers }) => void headers.delete("www-authenticate") }
    const command = runCommand("test/conformance/command.ts", [url, "--route", "/movies/7", "--client", file])
    const { stdout, code } = await command.ended
    fault = {}
    expect(stdout).toMatch(/^not run {2}N-7662-2 .*\n +needs the service's signing key \(--keys\)$/m)
    expect(stdout).toMatch(/^failed {3}N-6750-4 .*\n +no token: found no Bearer challenge, wanted one$/m)
    expect(stdout).toMatch(/\n\d\d\/\d\d passed, \d\d of 46 not run\n$/)
    expect(code).toBe(1)
  })

  it("exits 78 for a file that it cannot read, and prints none of its content", async () => {
    const file = join(service.folder, "relayer.key")
    const { stderr, code } = await runCommand("test/conformance/command.ts", [url, "--client", file]).ended
    expect(stderr).toBe(`${file}: wanted one line, ID:SECRET\n`)
    expect(code).toBe(78)
  })

  it("passes every rule for ticket402: direct, behind nginx, and inside the deployment", async () => {
    const { stdout, code } = await wholeRun
    expect(stdout).not.toContain("failed")
    const sums = hasNginx
      ? ["46/46 passed", "46/46 passed", "9/9 passed"]
      : ["46/46 passed", "7/7 passed, 2 of 9 not run"]
    expect(stdout.match(/^\d+\/\d+ passed.*$/gm)).toEqual(sums)
    expect(code).toBe(0)
  })
})
