import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, posix } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import ts from "typescript"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseConfig } from "../server/config/config.ts"
import { secretHeader } from "../shared/oauth/messages.ts"
import { gateRefusals, refusals } from "../shared/refusals.ts"
import type { Hex } from "../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "./support/chain/local-chain.ts"
import { type Command, runFile } from "./support/command.ts"
import { documents, example, fences, prose } from "./support/documents.ts"
import { freePort } from "./support/free-port.ts"
import { payTo } from "./support/offers.ts"
import { openSigner } from "./support/remote-signer.ts"
import { eventually, postToken, preparePurchase } from "./support/service.ts"

const root = new URL("../", import.meta.url)
const manifest = JSON.parse(await readFile(new URL("package.json", root), "utf8")) as {
  scripts: Record<string, string>
}

const sources: Record<string, string> = {
  "ticket402/client/x402": "client/adapters/x402.ts",
  "ticket402/server/express": "server/adapters/express.ts",
  "ticket402/server": "server/index.ts",
  "ticket402/client/node": "client/node/index.ts",
  "ticket402/client/axios": "client/adapters/axios.ts",
  "ticket402/client/undici": "client/adapters/undici.ts",
  "ticket402/client": "client/index.ts",
  "ticket402/shared": "shared/index.ts",
}

/** Returns the anchor that GitHub gives to a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

describe("the documents", () => {
  it("contain the tables that the code generates", async () => {
    const { code, stderr } = await runFile(new URL("scripts/docs.ts", root), ["--check"]).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  })

  it("link to existing files and headings, and the README links to each of them", async () => {
    const broken: string[] = []
    const linked = new Set<string>()
    for (const [path, text] of documents) {
      const words = text.replaceAll(/^```[\s\S]*?^```$/gm, "")
      for (const [, link = ""] of words.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (link.startsWith("https://")) continue
        const [file = "", anchor] = link.split("#")
        const target = file === "" ? path : posix.join(posix.dirname(path), file)
        if (path === "README.md") linked.add(target)
        const headings = [...(documents.get(target) ?? "").matchAll(/^#+ (.*)$/gm)]
        const isThere = documents.has(target) || existsSync(new URL(target, root))
        const isHeading = headings.some(([, heading = ""]) => anchorOf(heading) === anchor)
        if (!isThere || (anchor !== undefined && !isHeading)) broken.push(`${path}: ${link}`)
      }
    }
    expect(broken).toEqual([])
    expect([...linked]).toEqual(
      expect.arrayContaining([...documents.keys()].filter((path) => path !== "README.md")),
    )
  })

  it("document every reason of a refusal and no other", () => {
    const documented = (part: string) => {
      const [, table = ""] =
        new RegExp(`<!-- ${part}:begin -->([\\s\\S]*?)<!-- ${part}:end -->`).exec(prose) ?? []
      return [...table.matchAll(/^\| `([a-z_]+)` \|/gm)]
        .map(([, reason]) => reason)
        .filter((word) => word !== "reason")
    }
    expect(documented("errors")).toEqual(Object.keys(refusals))
    expect(documented("gate")).toEqual(Object.keys(gateRefusals))
  })

  it("name only commands that exist, and every command for users", () => {
    const shown = [
      ...fences("sh")
        .join("\n")
        .matchAll(/npm (?:run )?([a-z:]+)/g),
      ...prose.matchAll(/`npm (?:run )?([a-z:]+)/g),
    ]
    const builtIn = ["ci", "i", "init", "pack", "pkg", "test"]
    const names = new Set(shown.map(([, name]) => name ?? ""))
    for (const name of names)
      if (!builtIn.includes(name)) expect(Object.keys(manifest.scripts)).toContain(name)
    for (const name of ["demo", "chain", "serve", "bench", "check"]) expect([...names]).toContain(name)
  })
})

it("the configuration of go-live is accepted with an address in place of the placeholder", () => {
  const input = JSON.parse(example("confirmations", "json"))
  expect(() => parseConfig(input)).toThrow("payTo: found")
  expect(parseConfig({ ...input, payTo }).offers.map(({ id }) => id)).toEqual(["hour"])
})

describe("the documents' examples", () => {
  let chain: LocalChain
  let folder: string
  let seller: Command | undefined
  let other: Command | undefined
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "documents-"))
    await symlink(fileURLToPath(new URL("node_modules", root)), join(folder, "node_modules"))
    await writeFile(join(folder, "package.json"), '{ "type": "module" }')
    chain = await startLocalChain({ blockTimeSeconds: 0 })
  })
  afterAll(async () => {
    for (const command of [seller, other]) {
      command?.kill("SIGTERM")
      await command?.ended
    }
    await chain.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it("compile", async () => {
    const files = await Promise.all(
      fences("ts").map(async (body, at) => {
        const file = join(folder, `example-${at}.ts`)
        await writeFile(file, body)
        return file
      }),
    )
    expect(files.length).toBeGreaterThan(1)
    const { config } = ts.readConfigFile(fileURLToPath(new URL("tsconfig.json", root)), ts.sys.readFile)
    const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, fileURLToPath(root))
    const paths = Object.fromEntries(
      Object.entries(sources).map(([entry, source]) => [entry, [fileURLToPath(new URL(source, root))]]),
    )
    const typeRoots = [fileURLToPath(new URL("node_modules/@types", root))]
    const program = ts.createProgram(files, { ...options, paths, typeRoots })
    const found = files.flatMap((file) => {
      const source = program.getSourceFile(file)
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    })
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))).toEqual([])
  }, 60_000)

  it("run on a local chain as printed, but for addresses and ports", async () => {
    const [port, otherPort, customer] = [await freePort(), await freePort(), generatePrivateKey()]
    const signer = await openSigner()
    const here = (code: string) =>
      Object.entries(sources)
        .reduce((text, [entry, source]) => text.replaceAll(`"${entry}"`, `"${new URL(source, root)}"`), code)
        .replaceAll("8402", String(port))
        .replaceAll("8410", String(otherPort))
        .replaceAll("http://127.0.0.1:8545", chain.rpcUrl)
        .replaceAll("http://127.0.0.1:8550", signer.url)
    // As selling.md says, for the service elsewhere.
    const { resources } = JSON.parse(example('"resources"', "json"))
    const seller8402 = example("app.listen(8402").replace(
      "  payTo:",
      `  resources: ${JSON.stringify(resources)},\n  payTo:`,
    )
    await mkdir(join(folder, "seller"))
    for (const [name, code] of [
      ["seller/seller.ts", seller8402.replace("0xYourAddress", payTo)],
      ["purse.ts", example("createFileStore(")],
      ["stock.ts", example("tokenHook(")],
      ["adapters.ts", example("createDispatcher(")],
      ["more.ts", example("client.topUp(")],
      ["check.ts", example("verifyReceipt(")],
      ["other.ts", example("createVerifier(")],
      ["elsewhere.ts", example("tokenEndpoints:")],
    ] as const)
      await writeFile(join(folder, name), here(code))

    seller = runFile(pathToFileURL(join(folder, "seller/seller.ts")), [], { cwd: join(folder, "seller") })
    const url = `http://127.0.0.1:${port}/movies/7`
    await eventually(
      () =>
        fetch(url).then(
          ({ status }) => status,
          () => 0,
        ),
      (status) => status === 402,
    )
    const relayerKey = (await readFile(join(folder, "seller/data/relayer.key"), "utf8")) as Hex
    await chain.fund(privateKeyToAccount(relayerKey).address)
    await chain.mint(privateKeyToAccount(customer).address, 1_000_000n)
    other = runFile(pathToFileURL(join(folder, "other.ts")), [], { cwd: folder })
    const keeper = await runFile(pathToFileURL(join(folder, "purse.ts")), [], {
      cwd: folder,
      env: { ...process.env, AGENT_KEY: customer },
    }).ended
    const spent = "{ day: '0.01', left: '0.99', total: '0.01' }"
    expect(keeper).toMatchObject({ code: 0, stderr: "", stdout: `would pay 0.01\n200 ${spent}\n` })

    const more = await runFile(pathToFileURL(join(folder, "more.ts")), [], {
      cwd: folder,
      env: { ...process.env, AGENT_KEY: customer },
    }).ended
    expect(more).toMatchObject({ code: 0, stderr: "", stdout: "200\n" })

    await chain.mint(signer.account.address, 1_000_000n)
    const adapters = await runFile(pathToFileURL(join(folder, "adapters.ts")), [], {
      cwd: folder,
      env: { ...process.env, AGENT_ADDRESS: signer.account.address },
    }).ended
    expect(adapters).toMatchObject({ code: 0, stderr: "", stdout: "{ id: '7' }\n200\n200\n" })
    signer.close()
    const stranger = generatePrivateKey()
    await chain.mint(privateKeyToAccount(stranger).address, 10_000n)
    const stock = await runFile(pathToFileURL(join(folder, "stock.ts")), [], {
      cwd: folder,
      env: { ...process.env, AGENT_KEY: stranger },
    }).ended
    expect(stock).toMatchObject({ code: 0, stderr: "", stdout: "200\n200\n200\n" })

    const router = `http://127.0.0.1:${port}`
    const { accepts } = (await postToken(router, {})).body
    const account = privateKeyToAccount(customer)
    const purchase = await preparePurchase({ accepted: accepts[0], url: router }, account)
    expect((await postToken(router, purchase.headers)).status).toBe(200)
    const receipt = await eventually(
      async () =>
        (await fetch(`${router}/token/receipt`, { headers: { [secretHeader]: purchase.secret } })).json(),
      (answer) => answer.receipt !== undefined,
    )
    const check = await runFile(pathToFileURL(join(folder, "check.ts")), [], {
      cwd: folder,
      env: { ...process.env, RECEIPT: receipt.receipt },
    }).ended
    expect(check).toMatchObject({ code: 0, stderr: "" })
    expect(check.stdout).toMatch(/^10000 of 0x[0-9a-f]{40} in 0x[0-9a-f]{64}\n$/)

    const elsewhere = `http://127.0.0.1:${otherPort}/`
    const refused = await eventually(
      () => fetch(elsewhere).catch(() => undefined),
      (answer) => answer !== undefined,
    )
    expect(refused?.status).toBe(402)
    expect(refused?.headers.get("payment-required")).not.toBeNull()
    const guest = generatePrivateKey()
    await chain.mint(privateKeyToAccount(guest).address, 10_000n)
    const paid = await runFile(pathToFileURL(join(folder, "elsewhere.ts")), [], {
      cwd: folder,
      env: { ...process.env, AGENT_KEY: guest },
    }).ended
    expect(paid).toMatchObject({ code: 0, stderr: "" })
    expect(paid.stdout).toMatch(/^200 for eip155:11155111:0x[0-9a-f]{40}\n$/)
  }, 60_000)

  it("sell at the price that a function returns", async () => {
    const changing = example("127.0.0.1:8500").replace("0xYourAddress", payTo)
    const elsewhere = createServer((_request, response) => void response.end("0.9"))
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve))
    const { port } = elsewhere.address() as AddressInfo
    const facts = '{ method: "GET", target: "/", rawHeaders: [], scope: "movies:read" }'
    const show = `(await issuer.handleGate(${facts}))`
    const code = `${changing}\nconsole.log(JSON.parse(${show}.body).accepts[0].amount)\nawait issuer.close()\n`
    await mkdir(join(folder, "changing"))
    const file = join(folder, "changing/seller.ts")
    await writeFile(
      file,
      code
        .replace("ticket402/server", String(new URL(sources["ticket402/server"] ?? "", root)))
        .replace("8500", String(port))
        .replace("http://127.0.0.1:8545", chain.rpcUrl),
    )
    const { stdout } = await runFile(pathToFileURL(file), [], { cwd: join(folder, "changing") }).ended
    elsewhere.close()
    expect(stdout.split("\n")).toContain("30000")
  }, 60_000)
})
