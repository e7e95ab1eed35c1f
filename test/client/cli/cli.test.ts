import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect, stripVTControlCharacters } from "node:util"
import * as Keystore from "ox/Keystore"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { accountImport, accountNew, accountShow } from "../../../client/cli/account.ts"
import { exits, failureOf } from "../../../client/cli/failures.ts"
import { type FetchOptions, fetchCommand } from "../../../client/cli/fetch.ts"
import { openKey, parseKeyFile } from "../../../client/cli/keystore.ts"
import { createMoney } from "../../../client/cli/money.ts"
import { budget, list, remove, show } from "../../../client/cli/tokens.ts"
import { Ticket402Error } from "../../../client/index.ts"
import { bundled } from "../../support/bundle.ts"
import { type AgentHome, agentHome, cheapKeystore, type Ended, password, runHere } from "../../support/cli.ts"
import { origin } from "../../support/client-setup.ts"
import { runCommand } from "../../support/command.ts"
import { cutConnection, hour, json, otherPayTo, refuse } from "../../support/fake-origin.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "commands-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const clock = {
  get now() {
    return Date.now() / 1000
  },
}
const notAborted = new AbortController().signal

/** `ticket402 fetch` with the agent's home and password file. */
const fetchHere = (
  agent: AgentHome,
  url: string,
  options: Partial<FetchOptions> = {},
  { signal = notAborted, ...io }: Parameters<typeof runHere>[1] & { signal?: AbortSignal } = {},
): Promise<Ended> => {
  const { home, passwordFile } = agent
  const all = { home, passwordFile, ...options }
  return runHere((terminal, money) => fetchCommand(url, all, terminal, money, signal), {
    json: options.json === true,
    ...io,
  })
}

const spent = async ({ home }: AgentHome): Promise<string> => {
  const { stdout } = await runHere(async (terminal) => void (await budget({ home }, terminal)))
  return JSON.parse(stdout.toString()).spent.total
}

describe("ticket402 account", () => {
  it("CLI-20: new stores the key encrypted with mode 0600 and prints only its address", async () => {
    const home = join(folder, "fresh")
    const passwordFile = join(folder, "fresh-password")
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    const made = await runHere((terminal) =>
      accountNew({ home, passwordFile }, terminal).then(() => undefined),
    )
    expect(made.code).toBe(0)
    const text = await readFile(join(home, "account.json"), "utf8")
    const { address } = await openKey(parseKeyFile(text), password)
    expect(JSON.parse(made.stdout.toString())).toEqual({ address })
    expect((await stat(join(home, "account.json"))).mode & 0o777).toBe(0o600)
    expect((await stat(home)).mode & 0o777).toBe(0o700)
    expect(`${text}${made.stdout}${made.stderr}`).not.toContain(password)
    // Standard parameters, so that any wallet can open the file.
    expect(JSON.parse(text)).toMatchObject({ version: 3, crypto: { kdfparams: { n: 131_072, r: 8, p: 1 } } })

    const again = await runHere((terminal) =>
      accountNew({ home, passwordFile }, terminal).then(() => undefined),
    )
    expect(again.code).toBe(78)
    expect(again.stderr).toContain("There is an account file already")
    expect(await readFile(join(home, "account.json"), "utf8")).toBe(text)
    const shown = await runHere((terminal) => accountShow({ home }, terminal).then(() => undefined))
    expect(JSON.parse(shown.stdout.toString())).toEqual({ address })
  })

  it("import accepts keystores of other wallets and a key on stdin", async () => {
    const key = generatePrivateKey()
    const passwordFile = join(folder, "import-password")
    await writeFile(passwordFile, password, { mode: 0o600 })
    const [pbkdf2, options] = Keystore.pbkdf2({ password, iterations: 10 })
    const files = {
      scrypt: cheapKeystore(key),
      pbkdf2: JSON.stringify(Keystore.encrypt(key, pbkdf2, options)),
    }
    for (const [name, text] of Object.entries(files)) {
      const keystore = join(folder, `${name}.json`)
      await writeFile(keystore, text, { mode: 0o600 })
      const all = { home: join(folder, `import-${name}`), passwordFile, keystore }
      const { code, stdout } = await runHere((terminal) => accountImport(all, terminal).then(() => undefined))
      expect([code, JSON.parse(stdout.toString())]).toEqual([0, { address: privateKeyToAddress(key) }])
      const file = parseKeyFile(await readFile(join(all.home, "account.json"), "utf8"))
      expect((await openKey(file, password)).address).toBe(privateKeyToAddress(key))
    }
    const piped = await runHere(
      (terminal) =>
        accountImport({ home: join(folder, "piped"), passwordFile }, terminal).then(() => undefined),
      { input: `${key}\n` },
    )
    expect(JSON.parse(piped.stdout.toString())).toEqual({ address: privateKeyToAddress(key) })
    const wrong = await runHere(
      (terminal) =>
        accountImport({ home: join(folder, "none"), passwordFile }, terminal).then(() => undefined),
      { input: `${key}00\n` },
    )
    expect(wrong.code).toBe(78)
    expect(wrong.stderr).not.toContain(key.slice(2))
  })

  it("CLI-20: a key file or password file that others can read is refused", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    await chmod(agent.passwordFile, 0o640)
    const locked = await fetchHere(agent, `${seller.url}/movies/1`)
    expect(locked).toMatchObject({ code: 78 })
    expect(locked.stderr).toContain("password file is not used: found mode 0640")
    await chmod(agent.passwordFile, 0o600)
    await chmod(join(agent.home, "account.json"), 0o644)
    const open = await fetchHere(agent, `${seller.url}/movies/1`)
    expect(open.stderr).toContain("account file is not used: found mode 0644")
    expect(`${locked.stderr}${open.stderr}`).not.toContain(folder)
    expect(seller.transfers).toHaveLength(0)
  })

  it("CLI-20: two processes creating an account at once store one key", async () => {
    const home = join(folder, "race")
    const passwordFile = join(folder, "race-password")
    await writeFile(passwordFile, password, { mode: 0o600 })
    const ends = await Promise.all(
      [1, 2].map(() =>
        runHere((terminal) => accountNew({ home, passwordFile }, terminal).then(() => undefined)),
      ),
    )
    expect(ends.map(({ code }) => code).sort()).toEqual([0, 78])
    const winner = ends.find(({ code }) => code === 0)
    const { address } = await openKey(
      parseKeyFile(await readFile(join(home, "account.json"), "utf8")),
      password,
    )
    expect(JSON.parse(String(winner?.stdout))).toEqual({ address })
  })

  it.each([
    ["no JSON", "{", "no JSON"],
    ["another form", '{"version":3}', "id is wrong"],
    [
      "scrypt parameters that need gigabytes",
      cheapKeystore(generatePrivateKey()).replace('"n":2,', '"n":16777216,'),
      "crypto.kdfparams is wrong",
    ],
  ])("a key file with %s is refused", (_name, text, message) => {
    expect(() => parseKeyFile(text)).toThrow(message)
  })

  it("CLI-20: a wrong password or a mismatched address opens no key file", async () => {
    const text = cheapKeystore(generatePrivateKey())
    await expect(openKey(parseKeyFile(text), "wrong")).rejects.toThrow("The password is wrong")
    const other = JSON.stringify({ ...JSON.parse(text), address: "11".repeat(20) })
    await expect(openKey(parseKeyFile(other), password)).rejects.toThrow("another address")
  })
})

describe("ticket402 fetch", () => {
  it("pays once, reuses the token in the next command and reports the payment", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const first = await fetchHere(agent, `${seller.url}/movies/1`)
    expect(first).toMatchObject({ code: 0, stderr: `paid 0.01 USDC to ${seller.url} for "hour" ("read")\n` })
    expect(JSON.parse(first.stdout.toString())).toMatchObject({ path: "/movies/1" })
    // No password is needed where nothing is signed.
    const { home } = agent
    const second = await fetchHere({ ...agent, passwordFile: join(home, "none") }, `${seller.url}/movies/2`, {
      json: true,
    })
    expect(second).toMatchObject({ code: 0, stderr: "" })
    expect(JSON.parse(second.stdout.toString())).toMatchObject({
      status: 200,
      paid: [],
      body: { path: "/movies/2" },
    })
    expect(seller.transfers).toHaveLength(1)
    expect(await spent(agent)).toBe("0.01")
  })

  it("sends method, headers and data as curl does", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const header = ["X-Trace: 7", "Accept: text/plain"]
    await fetchHere(agent, `${seller.url}/movies`, { request: "PUT", data: '{"a":1}', header })
    await fetchHere(agent, `${seller.url}/movies`, { data: "@-" }, { input: "a=1" })
    expect(seller.handled).toMatchObject([
      { method: "PUT", body: '{"a":1}', headers: { "x-trace": "7", "content-type": "application/json" } },
      { method: "POST", body: "a=1", headers: { "content-type": "application/x-www-form-urlencoded" } },
    ])
  })

  it.each([
    ["ftp://x/", {}, "The URL is wrong"],
    ["https://me:secret@x/", {}, "The URL is wrong"],
    ["https://x/", { header: ["X-Trace 7"] }, "A header is wrong"],
    ["https://x/", { header: ["X-Key: secret\r\nX-Other: 1"] }, "A header is wrong"],
    ["https://x/", { data: "x", request: "GET" }, "has no data"],
    ["https://x/", { max: "much" }, "--max is wrong"],
    ["https://x/", { output: "/no/such/folder/file" }, "cannot be opened (ENOENT). Nothing was paid."],
  ])("refuses %s with %j before anything is sent and quotes no secret", async (url, options, message) => {
    const { code, stderr } = await fetchHere(await agentHome(folder), url, options)
    expect(code).toBe("output" in options ? 74 : 78)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain("secret")
  })

  it("writes bytes unchanged to stdout or a file, and no file on failure", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 256))
    seller.always("GET /film", (_request, response) => void response.end(bytes))
    expect((await fetchHere(agent, `${seller.url}/film`)).stdout.equals(bytes)).toBe(true)
    const output = join(agent.home, "film.bin")
    await writeFile(output, "x".repeat(400_000))
    expect(await fetchHere(agent, `${seller.url}/film`, { output })).toMatchObject({ code: 0 })
    expect((await readFile(output)).equals(bytes)).toBe(true)
    const outcomeAfter = await fetchHere(agent, `${seller.url}/film`, { json: true })
    expect(Buffer.from(JSON.parse(outcomeAfter.stdout.toString()).bodyBase64, "base64").equals(bytes)).toBe(
      true,
    )
    seller.always("GET /gone", cutConnection)
    const gone = join(agent.home, "gone.bin")
    expect(await fetchHere(agent, `${seller.url}/gone`, { output: gone })).toMatchObject({ code: 69 })
    expect(await readdir(agent.home)).not.toContain("gone.bin")
  })

  it("--dry-run prints the price and the refusing rule and pays nothing", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const cheap = await fetchHere(agent, `${seller.url}/movies/1`, { dryRun: true })
    expect(cheap.code).toBe(0)
    expect(cheap.stdout.toString()).toMatch(
      /^0.01 USDC \(eip155:11155111\) to http\S+ for "hour": "read", 3600 s\n$/,
    )
    seller.offers = [{ ...hour, amount: "500000" }]
    const expensive = await fetchHere(agent, `${seller.url}/movies/1`, { dryRun: true, json: true })
    expect(expensive.code).toBe(77)
    expect(JSON.parse(expensive.stdout.toString())).toMatchObject({
      kind: "sale",
      purchase: { price: "0.5", offer: hour.ref },
      refusal: { code: "amount_over_limit" },
    })
    expect(seller.transfers).toHaveLength(0)
    expect(await spent(agent)).toBe("0")
  })

  it("CLI-01, CLI-02: refuses a price over approval or budget until --max or --yes", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder, {
      budget: { perPurchase: "0.10", perDay: "0.12", approveAbove: "0.01" },
    })
    seller.offers = [{ ...hour, amount: "50000" }]
    const url = `${seller.url}/movies/1`
    const unapproved = await fetchHere(agent, url)
    expect(unapproved.code).toBe(77)
    expect(unapproved.stderr).toContain("Nothing was paid. Agree with --yes")
    expect(await fetchHere(agent, url, { max: "0.04" })).toMatchObject({ code: 77 })
    expect(seller.transfers).toHaveLength(0)
    expect(await fetchHere(agent, url, { max: "0.05" })).toMatchObject({ code: 0 })

    const another = await origin(clock)
    another.offers = [{ ...hour, amount: "100000" }]
    const over = await fetchHere(agent, `${another.url}/movies/1`, { yes: true, json: true })
    expect(over.code).toBe(77)
    expect(JSON.parse(over.stdout.toString())).toMatchObject({
      error: { code: "day_budget_spent" },
      paid: [],
    })
    another.offers = [{ ...hour, amount: "70000" }]
    expect(await fetchHere(agent, `${another.url}/movies/1`, { yes: true })).toMatchObject({ code: 0 })
    expect(await spent(agent)).toBe("0.12")
  })

  it("CLI-08: --yes does not approve a changed recipient", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    await fetchHere(agent, `${seller.url}/movies/1`)
    seller.payTo = otherPayTo
    seller.offers = [{ ...hour, scope: "write", ref: "studio@9f3c2a71" }]
    const moved = await fetchHere(agent, `${seller.url}/write`, { yes: true })
    expect(moved.code).toBe(77)
    expect(seller.transfers).toHaveLength(1)
  })

  it("CLI-14: Ctrl-C ends a payment at once, and the next command resends it", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const { home, passwordFile } = agent
    const url = `${seller.url}/movies/1`
    const args = ["fetch", url, "--home", home, "--password-file", passwordFile]
    const asked = new Promise<void>((resolve) => seller.script("POST /token", () => resolve()))
    const command = runCommand("scripts/ticket402.ts", args)
    await asked
    command.kill("SIGINT")
    const { code, stderr } = await command.ended
    expect(code).toBe(130)
    expect(stderr).toContain("Stopped. The signed payment of 0.01 USDC is kept")
    expect(await fetchHere(agent, url)).toMatchObject({ code: 0 })
    expect(seller.transfers).toHaveLength(1)
    expect(await spent(agent)).toBe("0.01")
  })

  it.each([
    ["outcome_unknown", 75, "The signed payment is kept: the next call sends the same one"],
    ["settlement_pending", 75, "Run the same command again."],
    ["asked_to_pay_again", 76, "The signed payment is kept"],
    ["purchase_overtaken", 75, "Nothing was paid. Run the same command again."],
    ["redirect_origin", 76, "Nothing was paid."],
    ["store_unavailable", 78, "Nothing was paid."],
  ] as const)("IDM-01: ends for %s with exit code %i and reports the payment's fate", (code, exit, words) => {
    const failure = failureOf(new Ticket402Error(code, "It failed."), createMoney())
    expect(exits[failure.exit].code).toBe(exit)
    expect(failure.text).toContain(words)
  })

  it("distinguishes a refused payment, an unreachable service and an error answer", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    seller.script("POST /token", refuse("insufficient_funds"))
    const refused = await fetchHere(agent, `${seller.url}/movies/1`)
    expect(refused.code).toBe(76)
    expect(refused.stderr).toContain("0.01 USDC was signed and not taken")
    expect(refused.stderr).toContain("Send money to the account")
    expect(await fetchHere(agent, "http://127.0.0.1:1/")).toMatchObject({ code: 69 })
    seller.always("GET /teapot", (_request, response) => json(response, 418, { tea: true }))
    const declined = await fetchHere(agent, `${seller.url}/teapot`)
    expect([declined.code, declined.stdout.toString()]).toEqual([22, '{"tea":true}'])
    expect(refused.stderr.split("\n")).toHaveLength(2)
  })

  it("counts a token and a paid call as paid, and a free grant as not", () => {
    const started = {
      type: "purchase_started",
      ...{ origin: "https://x", offer: "hour", scope: "read", amount: "0.01", asset: "USDC", network: "n" },
    } as const
    const purchased = {
      type: "purchased",
      origin: "https://x",
      grant: "g",
      scope: "read",
      expiresAt: 1,
    } as const
    const called = { type: "called", origin: "https://x" } as const
    const outcomeAfter = (...events: Parameters<ReturnType<typeof createMoney>["onEvent"]>[0][]) => {
      const money = createMoney()
      for (const event of events) money.onEvent(event)
      return [money.paid().map(({ isTaken }) => isTaken), money.sentence(false)]
    }
    expect(outcomeAfter({ ...purchased, settlement: "pending" })).toEqual([[], "Nothing was paid."])
    expect(outcomeAfter(started, { ...purchased, settlement: "pending" })).toEqual([
      [true],
      "0.01 USDC was paid; the token is kept for the next call.",
    ])
    expect(outcomeAfter(started, { ...purchased, settlement: "none" })).toEqual([[], "Nothing was paid."])
    expect(outcomeAfter(started, { ...called, status: 200 })).toEqual([[true], "0.01 USDC was paid."])
    expect(outcomeAfter(started, { ...called, status: 500 })[0]).toEqual([false])
  })

  it("CLI-21: a seller's names are shown in quotes without control characters", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const controls = "\u001b]0;title\u0007\u009b2J"
    seller.offers = [{ ...hour, ref: `hour${controls}@1`, scope: `read ${controls}` }]
    const bought = await fetchHere(agent, `${seller.url}/movies/1`)
    const quoted = await fetchHere(agent, `${seller.url}/movies/1`, { dryRun: true })
    const listed = await runHere(async (terminal) => void (await list({ home: agent.home }, terminal, "")))
    expect(bought.stderr).toContain('for "hour?]0;title??2J" ("read ')
    expect(quoted.stdout.toString()).toContain('a token for "read ')
    expect(JSON.parse(listed.stdout.toString()).scope).toBe(`read ${controls}`)
    for (const text of [bought.stderr, quoted.stdout.toString(), listed.stdout.toString()])
      expect(text).not.toMatch(/(?!\n)\p{Cc}/u)
  })

  it("names a wrong setting without its value", async () => {
    const agent = await agentHome(folder, { budget: { perDay: "lots" } })
    const { code, stderr } = await fetchHere(agent, "https://x/")
    expect(code).toBe(78)
    expect(stderr).toContain("budget.perDay")
    const misspelt = await agentHome(folder, { bugdet: {} })
    expect((await fetchHere(misspelt, "https://x/")).stderr).toContain("bugdet")
  })

  it("CLI-20: warns of a password in the environment", async () => {
    const seller = await origin(clock)
    const { home } = await agentHome(folder)
    const { code, stderr } = await runHere(
      (terminal, money) => fetchCommand(`${seller.url}/movies/1`, { home }, terminal, money, notAborted),
      { env: { TICKET402_PASSWORD: password } },
    )
    expect(code).toBe(0)
    expect(stderr).toMatch(/^warning: the password is in the environment/)
    expect(stderr).not.toContain(password)
  })
})

describe("ticket402 in a terminal", () => {
  it("CLI-20, CLI-21: asks before paying, hides the password, cleans the answer", async () => {
    const seller = await origin(clock)
    seller.offers = [{ ...hour, amount: "50000" }]
    seller.always("GET /film", (request, response) => {
      if (request.headers.authorization === undefined) return seller.gate(request, response)
      response.end("\u001b]0;title\u0007\u001b[2Jgood\r\n")
    })
    const { home } = await agentHome(folder)
    const bin = [
      process.execPath,
      bundled("scripts/ticket402.ts"),
      "fetch",
      `${seller.url}/film`,
      "--home",
      home,
    ]
    const { code, screen } = await onTerminal(100, bin, [
      [/Pay 0\.05 USDC .* for "hour": "read", 3600 s\?/, "y\r"],
      [/Password of the account/, `${password}\r`],
    ])
    expect(code).toBe(0)
    expect(screen).toContain("paid 0.05 USDC")
    expect(screen).toContain("\ufffd]0;title\ufffd\ufffd[2Jgood")
    expect(screen).not.toContain(password)
    expect(seller.transfers).toHaveLength(1)
  })

  it("CLI-02: a no pays nothing, also on a terminal of unknown width", async () => {
    const seller = await origin(clock)
    const day = { ...hour, ref: "day@2b81cc04", durationSeconds: 86_400, amount: "60000" }
    seller.offers = [{ ...hour, amount: "50000" }, day]
    const { home } = await agentHome(folder, { payPerCall: true })
    const bin = [
      process.execPath,
      bundled("scripts/ticket402.ts"),
      "fetch",
      `${seller.url}/film`,
      "--home",
      home,
    ]
    const { code, screen } = await onTerminal(0, bin, [[/Pay 0\.05 USDC/, "n\ry\r"]])
    expect(code).toBe(77)
    expect(
      screen.match(/\? (?:Yes|No)\b/g),
      "neither the other offer nor the typed yes is a second answer",
    ).toEqual(["? No"])
    expect(screen).toContain("Nothing was paid.")
    expect(seller.transfers).toHaveLength(0)
  })

  /** Runs a command on a pseudo-terminal; each text is typed once its question is shown. */
  async function onTerminal(
    columns: number,
    command: readonly string[],
    answers: readonly (readonly [RegExp, string])[],
  ) {
    const line = `stty columns ${columns}; ${command.map((word) => `'${word}'`).join(" ")}`
    const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    const open = [...answers]
    let screen = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      // Cursor movements and line breaks are removed.
      screen = `${screen}${stripVTControlCharacters(text)}`.replace(/\s+/g, " ")
      const [question, typed] = open[0] ?? []
      if (question && typed && question.test(screen)) {
        open.shift()
        child.stdin.write(typed)
      }
    })
    onTestFinished(() => void child.kill())
    const [code] = await once(child, "close")
    return { code, screen }
  }
})

describe("ticket402 tokens and budget", () => {
  it("CLI-20: list, show and remove print held grants and no credentials", async () => {
    const seller = await origin(clock)
    const agent = await agentHome(folder)
    const { home } = agent
    await fetchHere(agent, `${seller.url}/movies/1`)
    const run = (task: typeof list, id = "") =>
      runHere(async (terminal) => void (await task({ home }, terminal, id)))
    const listed = (await run(list)).stdout.toString()
    const grant = JSON.parse(listed)
    expect(grant).toMatchObject({ origin: seller.url, scope: "read", network: "eip155:11155111" })
    expect((await run(show, grant.id)).stdout.toString()).toBe(listed)
    const { stdout } = await runHere(async (terminal) => void (await budget({ home }, terminal)))
    expect(JSON.parse(stdout.toString())).toMatchObject({
      spent: { day: "0.01", left: "0.99", total: "0.01" },
      budget: { perPurchase: "0.10", perDay: "1.00" },
    })
    const [, bearer = ""] = /^Bearer (.+)$/.exec(seller.handled[0]?.headers.authorization ?? "") ?? []
    expect(bearer.length).toBeGreaterThan(5)
    expect(inspect([listed, stdout.toString()])).not.toContain(bearer)
    expect(await run(remove, grant.id)).toMatchObject({ code: 0 })
    expect((await run(list)).stdout.toString()).toBe("")
    expect(await run(show, grant.id)).toMatchObject({ code: 78 })
    expect(await run(remove, grant.id)).toMatchObject({ code: 78 })
  })
})
