/** Versions of Node.js and better-sqlite3 that run ticket402, and the sentence for those that do not. */
import { spawnSync } from "node:child_process"
import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import packageJson from "../../package.json" with { type: "json" }
import { createIssuer } from "../../server/app/issuer.ts"
import { checkNode, checkSqlite } from "../../shared/values/node-fit.ts"
import { compileInto } from "../support/bundle.ts"
import { runCommand } from "../support/command.ts"
import { configInput } from "../support/offers.ts"

const wanted = "wanted 20.12 or later of 20, or 22 and later"

it("accepts the Node.js versions that package.json promises", () => {
  expect(packageJson.engines.node).toBe("^20.12.0 || >=22.0.0")
  for (const version of ["20.12.0", "20.20.2", "22.0.0", "24.9.0", "26.1.0"])
    expect(checkNode(version)).toBeUndefined()
  for (const version of ["18.20.8", "20.11.1", "21.7.3"])
    expect(checkNode(version)).toBe(`found Node.js ${version}, ${wanted}`)
})

it("accepts the better-sqlite3 versions of package.json, each on its Node.js", () => {
  expect(packageJson.peerDependencies["better-sqlite3"]).toBe("^12.11.0 || ^13.0.0")
  for (const [sqlite, node] of [
    ["12.11.1", "20.20.2"],
    ["12.11.1", "24.9.0"],
    ["13.2.0", "22.0.0"],
  ] as const)
    expect(checkSqlite(sqlite, node)).toBeUndefined()
  expect(checkSqlite("13.2.0", "20.20.2")).toEqual({
    found: "better-sqlite3 13.2.0 on Node.js 20.20.2",
    wanted: "version 12: npm i better-sqlite3@12",
  })
  for (const version of ["11.10.0", "14.0.0"])
    expect(checkSqlite(version, "22.0.0")).toMatchObject({
      wanted: "version 12 or 13: npm i better-sqlite3@13",
    })
})

const onNode18 = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.8"}})`

it("the command refuses Node.js 18 in one sentence", async () => {
  const env = {
    ...process.env,
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(onNode18)}`,
  }
  expect(await runCommand("scripts/ticket402.ts", ["--help"], env).ended).toEqual({
    code: 78,
    stdout: "",
    stderr: `ticket402: found Node.js 18.20.8, ${wanted}\n`,
  })
})

it("a service refuses Node.js 18 in one sentence, before it opens anything", async () => {
  const versions = Object.getOwnPropertyDescriptor(process, "versions")
  Object.defineProperty(process, "versions", { configurable: true, value: { node: "18.20.8" } })
  try {
    await expect(createIssuer(configInput())).rejects.toThrow(`found Node.js 18.20.8, ${wanted}`)
  } finally {
    if (versions) Object.defineProperty(process, "versions", versions)
  }
})

/** A folder where better-sqlite3 is another: one that ends the process as soon as it is used. */
async function prepareFolder(entry: string, version: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "unfit-"))
  const fake = join(folder, "node_modules/better-sqlite3")
  await mkdir(fake, { recursive: true })
  await writeFile(join(fake, "package.json"), JSON.stringify({ name: "better-sqlite3", version }))
  await writeFile(join(fake, "index.js"), "module.exports = class { constructor() { process.abort() } }")
  await writeFile(join(folder, "package.json"), '{ "type": "module" }')
  compileInto(folder, entry)
  return folder
}

it.each([
  ["service", "server/stores/index.ts", 'openStore("sqlite:x.db")', "message"],
  ["client", "client/node/index.ts", 'createFileStore({ file: "x.db" })', "found"],
] as const)(
  "a better-sqlite3 that does not fit, by the %s, is refused unused",
  async (_, entry, call, key) => {
    const folder = await prepareFolder(entry, "11.10.0")
    const text = `import { ${call.split("(")[0]} } from "./index.js"
    await ${call}.catch((error) => console.log(error.${key} ?? error.detail.${key}))`
    await writeFile(join(folder, "run.js"), text)
    const { stdout } = spawnSync(process.execPath, ["run.js"], { cwd: folder, encoding: "utf8" })
    expect(stdout).toContain(`better-sqlite3 11.10.0 on Node.js ${process.versions.node}`)
  },
)
