/** The proxy of the environment carries the requests of `fetch` and `mcp`. */
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, request, type Server } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { type AddressInfo, connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { CommandError } from "../../../client/cli/failures.ts"
import { proxiedFetch } from "../../../client/cli/proxy.ts"
import { bundled } from "../../support/bundle.ts"
import { makeCertificate } from "../../support/certificate.ts"
import { agentHome } from "../../support/cli.ts"
import { runCommand } from "../../support/command.ts"

const command = "scripts/ticket402.ts"

let folder: string
let plain: string
let secure: string
let proxy: string
let environment: NodeJS.ProcessEnv
/** First lines of the requests that the proxy got. */
let lines: string[] = []
const servers: Pick<Server, "close" | "closeAllConnections">[] = []

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  servers.push(server)
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Forwards whole URLs, and tunnels to https alone, as squid does by default. */
const createProxy = (): Server =>
  createServer((incoming, outgoing) => {
    lines.push(`${incoming.method} ${incoming.url}`)
    const onward = request(incoming.url ?? "", { headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(onward)
  }).on("connect", (incoming, socket) => {
    lines.push(`CONNECT ${incoming.url}`)
    if (`https://${incoming.url}` !== secure) return socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
    const [host = "", port] = (incoming.url ?? "").split(":")
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      onward.pipe(socket).pipe(onward)
    })
    onward.on("error", () => socket.destroy())
    return socket.on("error", () => onward.destroy())
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-"))
  const certificate = makeCertificate(folder, "origin", "IP:127.0.0.1")
  plain = `http://${await listen(createServer((_request, response) => response.end("plain")))}`
  secure = `https://${await listen(createTlsServer(certificate, (_request, response) => response.end("secure")))}`
  proxy = `http://${await listen(createProxy())}`
  environment = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: certificate.certFile }
})
beforeEach(() => {
  lines = []
})
afterAll(async () => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  await rm(folder, { recursive: true })
})

const agent = () => agentHome(folder, { allow: { origins: [plain, secure] } })

describe("requests use the proxy of the environment", () => {
  const variables = () => ({ ...environment, HTTP_PROXY: proxy, HTTPS_PROXY: proxy })
  const forwarded = () => [`GET ${plain}/7`, `CONNECT ${new URL(secure).host}`]

  it("in fetch: plain http is forwarded, https is tunnelled, and hosts of NO_PROXY are direct", async () => {
    const { home, passwordFile } = await agent()
    const fetchOf = async (url: string, env: NodeJS.ProcessEnv) => {
      const args = ["fetch", `${url}/7`, "--home", home, "--password-file", passwordFile]
      const { code, stdout, stderr } = await runCommand(command, args, env).ended
      return [code, stdout, stderr]
    }
    expect(await fetchOf(plain, variables())).toEqual([0, "plain", ""])
    expect(await fetchOf(secure, variables())).toEqual([0, "secure", ""])
    expect(lines).toEqual(forwarded())
    expect(await fetchOf(plain, { ...variables(), NO_PROXY: "127.0.0.1" })).toEqual([0, "plain", ""])
    expect(lines).toEqual(forwarded())
  }, 60_000)

  it("in mcp", async () => {
    const { home, passwordFile } = await agent()
    const client = new Client({ name: "host", version: "1" })
    const args = [bundled(command), "mcp", "--home", home, "--password-file", passwordFile]
    const env = variables() as Record<string, string>
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env }))
    for (const url of [plain, secure]) {
      const answer = await client.callTool({ name: "fetch_paid_url", arguments: { url: `${url}/7` } })
      expect(answer.isError).not.toBe(true)
    }
    await client.close()
    expect(lines).toEqual(forwarded())
  }, 60_000)
})

it("without a proxy in the environment the global fetch is used", async () => {
  expect(await proxiedFetch({ NO_PROXY: "a.example" })).toBeUndefined()
})

it.each(["://user:secret@", "ftp://user:secret@127.0.0.1"])(
  "the proxy %s is an error without its text",
  async (url) => {
    const message = "HTTP_PROXY or HTTPS_PROXY is wrong: wanted the URL of a proxy."
    await expect(proxiedFetch({ HTTPS_PROXY: url })).rejects.toThrow(new CommandError(message))
  },
)
