import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { createIssuer } from "../../server/app/issuer.ts"
import { runCommand } from "../support/command.ts"
import { prose } from "../support/documents.ts"
import { randomAccount } from "../support/payments.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

const staff = randomAccount()
const secret = "Ns2fD5mY0tWzq8Xc"
let service: TestService
let file: string
beforeAll(async () => {
  const secretSha256 = createHash("sha256").update(secret).digest("hex")
  service = await openService({
    config: {
      whitelist: [
        { address: staff.address, scope: "movies:read" },
        { clientId: "mail", secretSha256, scope: "movies:read" },
      ],
    },
  })
  file = join(service.folder, "config.json")
  await writeFile(file, JSON.stringify(service.config))
})
afterAll(() => service.close())

/** Runs the command in a process of its own, as an operator does. */
async function whitelist(...args: string[]) {
  const { code, stdout, stderr } = await runCommand("scripts/ticket402.ts", [
    "whitelist",
    ...args,
    "--config",
    file,
  ]).ended
  return {
    code,
    stderr,
    lines:
      stdout.trim() === ""
        ? []
        : stdout
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line)),
  }
}
const credentials = (id: string, password: string) =>
  postToken(
    service.url,
    { "content-type": "application/x-www-form-urlencoded" },
    new URLSearchParams({
      grant_type: "client_credentials",
      client_id: id,
      client_secret: password,
    }).toString(),
  )
/** Seconds until the answer has the status. */
async function secondsUntil(ask: () => Promise<{ status: number }>, status: number): Promise<number> {
  const from = performance.now()
  await eventually(ask, (answer) => answer.status === status)
  return (performance.now() - from) / 1000
}

it("WL-09: a removed address is refused within 5 s, until it is added again", async () => {
  const purchase = await preparePurchase(service, staff)
  const { body } = await postToken(service.url, purchase.headers)
  expect((await watch(service.url, body.access_token)).status).toBe(200)

  const removed = await whitelist("remove", "--address", staff.address)
  expect(removed).toMatchObject({ code: 0, lines: [{ removed: staff.address.toLowerCase() }] })
  expect(removed.stderr).toMatch(/is in the configuration; it stays out/)
  expect(await secondsUntil(() => watch(service.url, body.access_token), 401)).toBeLessThan(5)

  const refused = await watch(service.url, body.access_token)
  expect(refused.body).toMatchObject({
    error: "invalid_token",
    reason: "token_revoked",
    next: { action: "stop" },
  })
  expect(refused.headers.get("payment-required")).toBeNull()
  const denied = { status: 403, body: { error: "access_denied", next: { action: "stop" } } }
  expect(await refresh(service.url, body.refresh_token)).toMatchObject(denied)
  expect(await postToken(service.url, retryHeaders(purchase))).toMatchObject(denied)
  // The address is now an ordinary payer without balance.
  const next = await preparePurchase(service, staff)
  expect((await postToken(service.url, next.headers)).body.reason).toBe("insufficient_funds")

  const warnings: string[] = []
  const quiet = () => {}
  const log = {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn: (fields: object, message: string) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
  }
  const restarted = await createIssuer(service.config, { log })
  await restarted.close()
  expect(warnings.join("\n")).toContain(staff.address.toLowerCase())

  expect(await whitelist("add", "--address", staff.address)).toMatchObject({ code: 0 })
  const seconds = await secondsUntil(async () => {
    const again = await preparePurchase(service, staff)
    return postToken(service.url, again.headers)
  }, 200)
  expect(seconds).toBeLessThan(5)
  // Grants from before the removal do not revive.
  expect((await watch(service.url, body.access_token)).status).toBe(401)
  expect(await refresh(service.url, body.refresh_token)).toMatchObject(denied)
  expect(await service.balanceOf(service.payTo.address)).toBe(0n)
})

it("WL-09: an added client gets a secret once and loses its grants on removal", async () => {
  const added = await whitelist("add", "--client-id", "billing", "--scope", "movies:read")
  const { clientSecret } = added.lines[0]
  expect(added).toMatchObject({ code: 0, lines: [{ clientId: "billing", scope: "movies:read" }] })
  await eventually(
    () => credentials("billing", clientSecret),
    ({ status }) => status === 200,
  )
  const { body } = await credentials("billing", clientSecret)
  expect((await watch(service.url, body.access_token)).status).toBe(200)

  const { lines } = await whitelist("list")
  expect(lines).toContainEqual({
    clientId: "billing",
    scope: "movies:read",
    by: "command",
    since: expect.any(Number),
  })
  expect(lines.map((line: { clientId?: string }) => line.clientId)).toContain("mail")
  expect(JSON.stringify(lines)).not.toMatch(/[0-9a-f]{64}/)

  expect((await whitelist("remove", "--client-id", "billing")).code).toBe(0)
  // The store decides, so no new token is issued even before the service rereads the list.
  expect(await credentials("billing", clientSecret)).toMatchObject({
    status: 401,
    body: { error: "invalid_client" },
  })
  expect(await secondsUntil(() => watch(service.url, body.access_token), 401)).toBeLessThan(5)
  expect((await credentials("mail", secret)).status).toBe(200)
})

it("the documented commands work in their order", async () => {
  const commands = [...prose.matchAll(/^npx ticket402 whitelist (.*)$/gm)].map(([, line = ""]) =>
    line
      .replace("--config ticket402.json", "")
      .split(" ")
      .filter((word) => word !== ""),
  )
  const answers = []
  for (const args of commands) answers.push(await whitelist(...args))
  expect(answers.map(({ code }) => code)).toEqual([0, 0, 0])
  const [added, list, removed] = answers.map(({ lines }) => lines)
  expect(added).toEqual([
    { clientId: "reporting", scope: "movies:read", clientSecret: expect.stringMatching(/^[\w-]{43}$/) },
  ])
  expect(list).toContainEqual(expect.objectContaining({ clientId: "reporting", by: "command" }))
  expect(removed).toEqual([{ removed: "reporting" }])
}, 60_000)

it("WL-12: an invalid entry exits with 78 and changes nothing", async () => {
  const before = await whitelist("list")
  const cases: [string[], RegExp][] = [
    [["add"], /--address: wanted either an address or a clientId/],
    [["add", "--address", "*", "--scope", "a"], /--address: wanted an address/],
    [["add", "--client-id", "a:b", "--scope", "a"], /--client-id: wanted a letter/],
    [["add", "--client-id", "new"], /--scope: wanted/],
    [["add", "--client-id", "new", "--scope", "a", "--secret-sha256", "hunter2"], /--secret-sha256: wanted/],
    [["add", "--client-id", "mail", "--scope", "everything"], /in the configuration with other terms/],
    [
      ["add", "--client-id", "new", "--scope", "movies:reed"],
      /--scope: found "movies:reed", wanted one that an offer or the whitelist names, did you mean "movies:read"/,
    ],
    [["remove", "--client-id", "nobody"], /not on the whitelist/],
    [["remove", "--nobody"], /unknown option/],
  ]
  const answers = await Promise.all(cases.map(([args]) => whitelist(...args)))
  for (const [index, { code, stderr, lines }] of answers.entries()) {
    expect({ code, lines }, cases[index]?.[0].join(" ")).toEqual({ code: 78, lines: [] })
    expect(stderr).toMatch(cases[index]?.[1] ?? /./)
    expect(stderr).not.toContain("hunter2")
  }
  expect(await whitelist("list")).toEqual(before)
}, 60_000)
