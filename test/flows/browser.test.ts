import { accessSync, constants } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { delimiter, join } from "node:path"
import { type Browser, chromium, type Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { browserBundle } from "../support/browser-bundle.ts"
import type { Order } from "../support/buyer-page.ts"
import { example } from "../support/documents.ts"
import type { Account } from "../support/payments.ts"
import { eventually, offer, openService, type TestService } from "../support/service.ts"

const programs = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
const program = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((folder) => programs.map((name) => join(folder, name)))
  .find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

type WalletAnswer = { readonly result?: unknown; readonly code?: number }

describe.skipIf(!program)("a page of another origin in Chromium (from scripts/system-packages.sh)", () => {
  let service: TestService
  /** The same service without any listed origin. */
  let closed: TestService
  let pages: Server
  let origin: string
  /** Scripts by path; each page runs the script of its own name. */
  const scripts = new Map<string, string>()
  let browser: Browser
  let page: Page
  let payer: Account
  /** Methods that the wallet was called with. */
  let asked: string[] = []
  let chainId = "0x1"

  beforeAll(async () => {
    scripts.set("/shop.js", await browserBundle("test/support/buyer-page.ts", { minify: true }))
    pages = createServer(({ url = "" }, response) => {
      const script = scripts.get(url)
      response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html; charset=utf-8" })
      response.end(script ?? `<!doctype html><body><script src="${url}.js" type="module"></script>`)
    })
    await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve))
    origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
    const offers = [
      offer("hour", "movies:read", "0.01"),
      { ...offer("studio", "movies:write", "0.02"), dpop: "required" },
    ]
    ;[service, browser] = await Promise.all([
      openService({ config: { cors: [origin], offers } as object }),
      chromium.launch({ executablePath: program!, args: ["--no-sandbox"] }),
    ])
    closed = await openService({ chain: service.chain })
    payer = await service.customer()
    page = await browser.newPage()
    // The wallet's key stays in this process; the page sends JSON-RPC, as to an extension.
    await page.exposeFunction("askWallet", answerOf)
    await page.addInitScript(() => {
      const { askWallet } = window as unknown as { askWallet(call: unknown): Promise<WalletAnswer> }
      const request = async (call: unknown) => {
        const { result, code } = await askWallet(call)
        if (code !== undefined) throw Object.assign(new Error("refused"), { code })
        return result
      }
      Object.assign(window, { ethereum: { request } })
    })
    await page.goto(`${origin}/shop`)
  })
  afterAll(async () => {
    await browser.close()
    pages.closeAllConnections()
    pages.close()
    await closed.close()
    await service.close()
  })

  /** Signs for the current chain only, as MetaMask does. */
  async function answerOf({
    method,
    params = [],
  }: {
    method: string
    params?: unknown[]
  }): Promise<WalletAnswer> {
    asked.push(method)
    if (method === "eth_requestAccounts") return { result: [payer.address] }
    if (method === "eth_chainId") return { result: chainId }
    if (method === "wallet_switchEthereumChain") {
      chainId = (params[0] as { chainId: string }).chainId
      return { result: null }
    }
    const typed = JSON.parse(String(params[1]))
    if (method !== "eth_signTypedData_v4" || typed.domain.chainId !== Number(chainId)) return { code: 4200 }
    return { result: await payer.signTypedData(typed) }
  }

  const buy = async (order: Partial<Order>) =>
    page.evaluate((whole) => window.buy(whole), { url: "", perPurchase: "0.05", method: "GET", ...order })

  it("buys with the page's wallet once for all its calls, and the money arrives", async () => {
    asked = []
    expect(await buy({ url: `${service.url}/movies/7` })).toEqual({
      statuses: [200, 200, 200],
      text: '{"id":"7"}',
      day: "0.01",
    })
    expect(asked).toEqual([
      "eth_requestAccounts",
      "eth_chainId",
      "wallet_switchEthereumChain",
      "eth_signTypedData_v4",
    ])
    await eventually(
      () => service.balanceOf(service.payTo.address),
      (balance) => balance === 10_000n,
    )
  })

  it("sends bodies and proves possession of a key that cannot leave the page", async () => {
    expect(await buy({ url: `${service.url}/movies`, method: "POST" })).toMatchObject({
      statuses: [201, 201, 201],
      day: "0.02",
    })
  })

  it("CLI-01: is refused a price over its budget before the wallet signs", async () => {
    asked = []
    expect(await buy({ url: `${service.url}/movies/7`, perPurchase: "0.001" })).toMatchObject({
      refused: "amount_over_limit",
    })
    expect(asked).toEqual(["eth_requestAccounts"])
  })

  it("runs the documented example with only the address changed", async () => {
    const contents = example("createProviderSigner(ethereum)").replace("http://127.0.0.1:8402", service.url)
    const stdin = { contents, loader: "ts" as const, resolveDir: process.cwd() }
    const alias = { "ticket402/client": "./client/index.ts" }
    scripts.set("/example.js", await browserBundle("", { entryPoints: [], stdin, alias }))
    await page.goto(`${origin}/example`)
    await page.getByText('{"id":"7"}').waitFor()
  })

  it("HTP-04: pays nothing to a service that does not list its origin", async () => {
    await page.goto(`${origin}/shop`)
    asked = []
    expect(await buy({ url: `${closed.url}/movies/7` })).toMatchObject({
      refused: expect.stringContaining("TypeError"),
    })
    expect(asked).toEqual(["eth_requestAccounts"])
  })
})
