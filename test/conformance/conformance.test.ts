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
import { readServiceKey } from "./forgery.ts"
import type { Means } from "./means.ts"
import { rules } from "./rules/index.ts"
import { type Finding, look } from "./run.ts"
import { createSubject } from "./subject.ts"

/** What passes through the proxy in front of the service. */
type Passing = {
  readonly request: { method: string; url: string; headers: string[]; body: string }
  status: number
  readonly headers: Map<string, string>
  body: string
}
type Fault = {
  /** Its rules are about what was paid for. */
  readonly paid?: true
  /** On the way in. */
  readonly ask?: (request: Passing["request"]) => void
  /** On the way out. */
  readonly say?: (passing: Passing) => void
}

const secret = "n0t-guessable-0123456789"
const secretSha256 = createHash("sha256").update(secret).digest("hex")
let service: TestService
let front: Server
let url: string
let fault: Fault = {}
let means: Means

/** The whole run, beside everything else here. */
let whole: Command["ended"]

beforeAll(async () => {
  whole = runCommand("test/conformance/command.ts", []).ended
  front = createServer((request, response) => {
    void pass(request).then(({ status, headers, body }) => {
      response.writeHead(status, [...headers].flat()).end(request.method === "HEAD" ? "" : body)
    })
  }).listen(0, "127.0.0.1")
  await once(front, "listening")
  url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`
  service = await openService({
    config: {
      issuer: url,
      offers: [offer("hour", "movies:read", "0.01"), offer("studio", "movies:write", "0.05")],
      whitelist: [{ clientId: "reporting", secretSha256, scope: "movies:read" }],
      introspection: [{ clientId: "api", secretSha256 }],
    },
  })
  means = {
    url,
    route: "/movies/7",
    payer: { account: await service.customer(), network: sepoliaId, most: "0.05" },
    client: { id: "reporting", secret },
    introspection: { id: "api", secret },
    key: await readServiceKey(String(service.config.keys)),
  }
})
afterAll(async () => {
  front.closeAllConnections()
  front.close()
  await service.close()
})

async function pass(incoming: IncomingMessage): Promise<Passing> {
  const request = {
    method: incoming.method ?? "",
    url: incoming.url ?? "",
    headers: incoming.rawHeaders,
    body: await textOf(incoming),
  }
  fault.ask?.(request)
  const { hostname, port } = new URL(service.url)
  const { method, url: path, headers } = request
  const outgoing = httpRequest({ hostname, port, method, path, headers, agent: false })
  outgoing.end(request.body)
  const [response] = (await once(outgoing, "response")) as [IncomingMessage]
  const fields = Object.entries(response.headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ])
  const passing: Passing = {
    request,
    status: response.statusCode ?? 0,
    headers: new Map(
      fields.filter(([name]) => !/^(content-length|transfer-encoding|connection)$/.test(name)),
    ),
    body: await textOf(response),
  }
  fault.say?.(passing)
  return passing
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString("latin1")
}

const failed = (findings: readonly Finding[]) =>
  findings.filter(({ outcome }) => outcome === "failed").map(({ id }) => id)
const isGate = ({ request }: Passing) => request.url.startsWith("/movies/")
/** A client's tokens are enough for most rules, and cost nothing. */
const meansFor = ({ paid }: Fault): Means => (paid ? means : { ...means, payer: undefined })

/** What is broken, the rules that are looked for, and those of them that are not kept any more. */
const faults: readonly (readonly [string, Fault, readonly string[], readonly string[]])[] = [
  [
    "answers may be stored",
    { say: ({ headers }) => void headers.delete("cache-control") },
    ["N-6749-1", "N-6749-3", "N-6749-4", "N-6750-4", "N-9111-1"],
    ["N-6749-3", "N-6749-4", "N-9111-1"],
  ],
  [
    "the gate says 200 instead of 402",
    {
      say: (passing) => {
        if (isGate(passing) && passing.status === 402) passing.status = 200
      },
    },
    ["N-6750-4", "N-9111-1", "N-9728-1", "N-9728-2"],
    ["N-6750-4", "N-9728-2", "N-9111-1"],
  ],
  [
    "the metadata name another issuer",
    {
      say: (passing) => {
        passing.body = passing.body.replace(/"issuer":"[^"]+"/, '"issuer":"https://elsewhere.example"')
      },
    },
    ["N-6749-5", "N-8414-1", "N-8414-2", "N-9728-1"],
    ["N-8414-1", "N-8414-2"],
  ],
  [
    "the challenge leads nowhere",
    { say: ({ headers }) => void headers.set("www-authenticate", 'Bearer realm="a", realm="b"') },
    ["N-6750-2", "N-6750-4", "N-9728-2", "N-9110-1"],
    ["N-6750-4", "N-9728-2"],
  ],
  [
    "a token in the query opens the gate",
    {
      ask: ({ url, headers }) => {
        const token = /[?&]access_token=([^&]+)/.exec(url)?.[1]
        if (token !== undefined) headers.push("Authorization", `Bearer ${token}`)
      },
    },
    ["N-6750-1", "N-6750-2", "N-6750-3"],
    ["N-6750-3"],
  ],
  [
    "of two Authorization fields the first one counts",
    {
      ask: ({ headers }) => {
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
    "HEAD is let through",
    {
      say: (passing) => {
        if (passing.request.method === "HEAD") passing.status = 200
      },
    },
    ["N-9110-1", "N-9111-1"],
    ["N-9110-1"],
  ],
  [
    "the ticket office moved",
    {
      say: (passing) => {
        if (passing.request.url === "/token/") passing.status = 307
      },
    },
    ["N-6749-1", "N-9700-4"],
    ["N-9700-4"],
  ],
  [
    "a host of the request comes back",
    {
      say: (passing) => {
        const at = passing.request.headers.indexOf("x-forwarded-host")
        if (at >= 0) passing.headers.set("link", passing.request.headers[at + 1] ?? "")
      },
    },
    ["N-9700-3", "N-9700-5"],
    ["N-9700-5"],
  ],
  [
    "an error page shows what was sent",
    {
      say: (passing) => {
        if (passing.status >= 400) passing.body += JSON.stringify(passing.request.headers)
      },
    },
    ["N-9700-3", "N-9700-4"],
    ["N-9700-3"],
  ],
  [
    "proofs are thrown away",
    {
      ask: ({ headers }) => {
        const at = headers.indexOf("dpop")
        if (at >= 0) headers.splice(at, 2)
      },
    },
    ["N-8725-1", "N-9449-1", "N-9449-2"],
    ["N-9449-1", "N-9449-2"],
  ],
  [
    "a revocation of nothing is an error, and introspection talks",
    {
      paid: true,
      say: (passing) => {
        if (passing.request.body === "token=nothing" && passing.request.url === "/revoke")
          passing.status = 400
        passing.body = passing.body.replace('"active":false', '"active":false,"reason":"unknown"')
      },
    },
    ["N-7662-1", "N-7662-2", "N-7009-1"],
    ["N-7662-2", "N-7009-1"],
  ],
]

describe("the conformance run", () => {
  it.each(faults)("names the rules that are broken where %s", async (_what, broken, looked, wanted) => {
    fault = broken
    try {
      const some = rules.filter(({ id }) => looked.includes(id))
      const findings = await look(some, createSubject(meansFor(broken)))
      expect(findings.filter(({ outcome }) => outcome === "not run")).toEqual([])
      expect(failed(findings)).toEqual(wanted)
    } finally {
      fault = {}
    }
  })

  it("says of what it could not look for that it did not, and exits 1 for what is broken", async () => {
    const file = join(service.folder, "client")
    await writeFile(file, `reporting:${secret}\n`)
    fault = { say: ({ headers }) => void headers.delete("www-authenticate") }
    const command = runCommand("test/conformance/command.ts", [url, "--route", "/movies/7", "--client", file])
    const { stdout, code } = await command.ended
    fault = {}
    expect(stdout).toMatch(/^not run {2}N-7662-2 .*\n +needs the service's signing key \(--keys\)$/m)
    expect(stdout).toMatch(/^failed {3}N-6750-4 .*\n +no token: found no Bearer challenge, wanted one$/m)
    expect(stdout).toMatch(/\n\d\d\/\d\d passed, \d\d of 46 not run\n$/)
    expect(code).toBe(1)
  })

  it("exits 78 for what it cannot read, and shows none of it", async () => {
    const file = join(service.folder, "relayer.key")
    const { stderr, code } = await runCommand("test/conformance/command.ts", [url, "--client", file]).ended
    expect(stderr).toBe(`${file}: wanted one line, ID:SECRET\n`)
    expect(code).toBe(78)
  })

  it("keeps every rule itself, alone and behind nginx, at the start and behind the scenes", async () => {
    const { stdout, code } = await whole
    expect(stdout).not.toContain("failed")
    const sums = hasNginx
      ? ["46/46 passed", "46/46 passed", "9/9 passed"]
      : ["46/46 passed", "7/7 passed, 2 of 9 not run"]
    expect(stdout.match(/^\d+\/\d+ passed.*$/gm)).toEqual(sums)
    expect(code).toBe(0)
  })
})
