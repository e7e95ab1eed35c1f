/** The audit of dependencies, with a program in npm's place. */
import { mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { expect, it } from "vitest"
import { runFile } from "../support/command.ts"

async function audit(answer: string) {
  const folder = await mkdtemp(join(tmpdir(), "audit-"))
  await writeFile(join(folder, "npm"), `#!/bin/sh\necho '${answer}'\nexit 1\n`, { mode: 0o755 })
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` }
  return runFile(new URL("../../scripts/audit.ts", import.meta.url), [], { env }).ended
}

it("the audit names packages with known flaws and fails", async () => {
  const { code, stdout, stderr } = await audit('{"vulnerabilities":{"left-pad":{"severity":"high"}}}')
  expect([code, stdout, stderr]).toEqual([1, "packages with known flaws: 1\n", "left-pad: high\n"])
})

it("the audit passes without known flaws", async () => {
  expect(await audit('{"vulnerabilities":{}}')).toMatchObject({ code: 0, stderr: "" })
})

it.each(['{"message":"405"}', "<html>", ""])("the audit says that it got no report in %j", async (answer) => {
  const { code, stderr } = await audit(answer)
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^the registry could not be asked/)])
})
